"""Eight-bit integers: a float32 model, quantised as ONNX Runtime's tools do it.

`int8_dynamic` quantises weights beforehand and activations while running; `int8_static` (pairs of quantise and
dequantise, QDQ) quantises both beforehand, weights for each channel, activations by ranges that a few random feeds
show. The ranges decide how accurate the model is, not how fast, so random feeds do.
"""

from profilers.quantisation.marks import CALIBRATION_FEEDS, INT8_PRECISIONS, original_tensors
from profilers.quantisation.prepare import prepared

__all__ = ["CALIBRATION_FEEDS", "INT8_PRECISIONS", "original_tensors", "prepared"]
