"""Torch modules on the command line."""

from pathlib import Path

import pytest
import typer

from latcast.schema import InputError
from profilers.onnx_graph import load_graph
from service.cli.forecast.modules import is_module_name, module_inputs, module_onnx
from service.cli.forecast.network_files import networks_of
from service.cli.shapes import Sizes

CURVE = [Sizes(shapes={}, dims={})]
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
    made, instance = module_onnx(f"{net}:Net", [(1, 8)]), module_onnx(f"{net}:Models.net", [(1, 8)])
    assert made == instance
    (listed,) = networks_of([f"{net}:Net"], None, space=None, graph=False, curve=CURVE, inputs=["1x8"])
    assert listed.model is not None
    assert load_graph(listed.model).hash == load_graph(made).hash
    assert listed.name == f"{net}:Net"


def test_what_cannot_be_made_is_said(net: str, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0")
    (tmp_path / "ends.py").write_text("raise SystemExit(2)")
    for name, sentence in {
        f"{net}:Absent": "cannot be made",
        f"{net}:number": "cannot be made",
        f"{tmp_path}/none.py:Net": "no file",
        f"{tmp_path}/bad.py:Net": "ZeroDivisionError",
        f"{tmp_path}/ends.py:Net": "SystemExit: 2",
    }.items():
        with pytest.raises(InputError, match=sentence):
            module_onnx(name, [(1, 8)])


def test_inputs_are_shapes() -> None:
    with pytest.raises(typer.BadParameter, match="--input"):
        module_inputs(["a.onnx", "net.py:Net"], [])
    with pytest.raises(typer.BadParameter, match=r"--input is for torch modules .* with --shape"):
        module_inputs(["a.onnx"], ["1,8"])
    assert module_inputs(["net.py:Net"], ["1,8", "[2, 3]"]) == [(1, 8), (2, 3)]


def test_an_input_that_is_no_shape_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'1;3'"):
        module_inputs(["net.py:Net"], ["1;3"])


BESIDE = """
from __future__ import annotations
from dataclasses import dataclass
import torch
from blocks_of_this_test import block

@dataclass
class Config:
    width: int = 8

def net() -> torch.nn.Module:
    return block(Config().width)
"""


def test_a_module_may_use_what_lies_beside_its_file_and_dataclasses(net: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "beside.py").write_text(BESIDE)
    (folder / "blocks_of_this_test.py").write_text("import torch\ndef block(width): return torch.nn.Linear(8, width)\n")
    assert b"Gemm" in module_onnx(f"{folder}/beside.py:net", [(1, 8)])


def test_lines_of_a_list_may_be_modules_and_one_that_fails_spoils_no_other(net: str, tmp_path: Path) -> None:
    listed = tmp_path / "nets.txt"
    listed.write_text(f"{net}:Net\n{net}:Absent\n")
    made, absent = networks_of([], [str(listed)], space=None, graph=False, curve=CURVE, inputs=["1,8"])
    assert made.model is not None
    assert "cannot be made" in str(absent.problem)
    with pytest.raises(InputError, match="cannot be made"):
        networks_of([f"{net}:Absent"], None, space=None, graph=False, curve=CURVE, inputs=["1,8"])
