"""Torch modules on the command line."""

from pathlib import Path

import pytest
import typer

from latcast.schema import InputError
from service.cli.forecast.modules import is_module_name, module_network
from service.cli.forecast.network_files import networks_of
from service.cli.shapes import Sizes

NET = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)

class Models:
    net = Net()

number = 3
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    (tmp_path / "net.py").write_text(NET)
    return str(tmp_path / "net.py")


def test_a_module_is_a_file_and_a_name() -> None:
    assert is_module_name("folder/net.py:Net")
    assert not is_module_name("net.py")
    assert not is_module_name("|nor_conv_3x3~0|+|a~0|b~1|")


@pytest.mark.slow
def test_a_class_or_an_instance_becomes_a_network(net: str) -> None:
    made, instance = module_network(f"{net}:Net", ["1,8"]), module_network(f"{net}:Models.net", ["1x8"])
    assert made.item == instance.item
    curve = [Sizes(shapes={}, dims={})]
    (listed,) = networks_of([f"{net}:Net"], None, space=None, graph=False, curve=curve, inputs=["1,8"])
    assert listed.item == made.item
    assert listed.name == f"{net}:Net"


def test_what_cannot_be_made_is_said(net: str, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0")
    for name, sentence in {
        f"{net}:Absent": "cannot be made",
        f"{net}:number": "cannot be made",
        f"{tmp_path}/none.py:Net": "no file",
        f"{tmp_path}/bad.py:Net": "ZeroDivisionError",
    }.items():
        with pytest.raises(InputError, match=sentence):
            module_network(name, ["1,8"])


def test_inputs_are_shapes() -> None:
    with pytest.raises(typer.BadParameter, match="--input"):
        module_network("net.py:Net", [])


def test_an_input_that_is_no_shape_is_refused(net: str) -> None:
    with pytest.raises(typer.BadParameter, match="'1;3'"):
        module_network(f"{net}:Net", ["1;3"])
