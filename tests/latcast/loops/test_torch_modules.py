"""Torch modules become ONNX models without weights."""

import logging
import subprocess
import sys

import onnx
import pytest

from latcast.loops import torch_modules
from latcast.loops.networks import item_of
from latcast.loops.torch_modules import is_module, onnx_of
from latcast.schema import InputError

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")


class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3)
        self.drop = torch.nn.Dropout()
        self.head = torch.nn.Linear(8, 64)
        self.drop.eval()  # a mode of its own

    def forward(self, x: "torch.Tensor") -> "torch.Tensor":
        return self.head(self.drop(torch.relu(self.conv(x))).mean((2, 3)))


@pytest.mark.slow
def test_a_module_is_exported_in_evaluation_mode_and_left_as_it_was() -> None:
    net = Net()
    model = onnx.load_from_string(onnx_of(net, [(1, 3, 8, 8)]))
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu", "ReduceMean", "Gemm"]
    assert net.training
    assert not net.drop.training
    assert [dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 8, 8]


def test_a_module_needs_shapes_and_has_to_be_exportable() -> None:
    class Bad(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: "torch.Tensor") -> "torch.Tensor":
            return x if x.sum() > 0 else -x

    assert is_module(Bad())
    assert not is_module("x")
    with pytest.raises(InputError, match="inputs="):
        item_of(Bad())
    with pytest.raises(InputError, match="cannot export Bad"):
        onnx_of(Bad(), [(1, 2)])


PROGRAM = """
import torch
from latcast.loops.torch_modules import onnx_of

print(len(onnx_of(torch.nn.Conv2d(3, 8, 3), [(1, 3, 8, 8)])) > 0)
"""


@pytest.mark.slow
def test_nothing_is_said_of_operators_that_no_module_has() -> None:
    """Torch logs whatever is not installed, torchvision as a rule, which says nothing of what is exported."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_errors_of_the_exporter_are_still_said(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    with torch_modules._quiet_table():
        logger.warning("torchvision is not installed. Skipping torchvision::nms")
        logger.error("broken")
        logging.getLogger("torch.onnx._internal.exporter._core").warning("of this module")
    logger.warning("afterwards")
    assert [record.getMessage() for record in caplog.records] == ["broken", "of this module", "afterwards"]
