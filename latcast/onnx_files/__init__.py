"""ONNX files without the onnx package: one reader for all commands, which takes weights out before it sends."""

from latcast.onnx_files.inputs import DeclaredInputs, declared_inputs
from latcast.onnx_files.reading import MODEL_BYTES, read_model, without_weights, write_model

__all__ = ["MODEL_BYTES", "DeclaredInputs", "declared_inputs", "read_model", "without_weights", "write_model"]
