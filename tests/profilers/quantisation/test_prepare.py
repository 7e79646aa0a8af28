"""Models in the precision of a target."""

import onnx
import pytest

from latcast.schema import InputError, ProfileSettings
from profilers.host.device import describe_device
from profilers.quantisation import INT8_PRECISIONS, prepared
from profilers.quantisation.tools import quantise
from profilers.testing.backends import small_models
from profilers.timing.sandbox import measure

SMALL = [(name, spec, model.SerializeToString()) for name, spec, model in small_models()]


def test_a_model_that_is_quantised_already_stays_as_it_is() -> None:
    once = quantise(SMALL[0][2], "int8_static")
    assert prepared(once, "int8_static") is once
    del (stranger := onnx.load_model_from_string(once)).metadata_props[:]
    assert operators(quantise(stranger.SerializeToString(), "int8_dynamic")) == operators(once)


def test_other_precisions_need_no_preparation() -> None:
    assert prepared(b"whatever", "fp32") == b"whatever"
    with pytest.raises(InputError, match="no quantisation 'int4'"):
        quantise(SMALL[0][2], "int4")


@pytest.mark.parametrize("precision", INT8_PRECISIONS)
def test_a_measurement_prepares_the_model_in_a_process_of_its_own(precision: str) -> None:
    _, _, model = SMALL[0]
    settings = ProfileSettings(precision=precision, processes=1, max_seconds=0.02, warmup_seconds=0.02)
    found = measure(model, device=describe_device(), settings=settings)
    assert found.failure is None
    assert found.target.precision == precision
    assert {kernel.node for kernel in found.kernels or ()} >= {2, 4, 5}


def operators(model: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_model_from_string(model).graph.node}
