"""Torch modules that people name on the command line: `module.py:Net`."""

import re
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any

import typer

from latcast.schema import InputError
from service.cli.forecast.networks import Network
from service.cli.shapes import parse_input

__all__ = ["is_module_name", "module_network"]

NAME = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_][A-Za-z0-9_.]*)")


def is_module_name(name: str) -> bool:
    """Whether a text names a torch module in a file of Python."""
    return NAME.fullmatch(name) is not None


def module_network(name: str, inputs: Sequence[str]) -> Network:
    """The network that a torch module is. Runs the file, as `python` would.

    Args:
        name: `file.py:Name`, where the name is a module, or a class or function that makes one without arguments.
        inputs: shape of each of its inputs.

    Raises:
        InputError: the file or the name is not there or fails, or the module cannot be exported.
        typer.BadParameter: there are no inputs, or one is not of the form 1,3,224,224.
    """
    from latcast.items import item
    from latcast.loops.torch_modules import onnx_of

    if not inputs:
        raise typer.BadParameter(f"{name} is a torch module: say with --input which shapes go in, as in 1,3,224,224.")
    shapes = [parse_input(text) for text in inputs]
    return Network(name=name, item=item(onnx=onnx_of(_module(name), shapes)))


def _module(name: str) -> Any:
    try:
        from torch.nn import Module
    except ImportError as error:
        raise InputError(f"{name} needs torch: pip install 'latcast[torch]'.") from error
    found = NAME.fullmatch(name)
    assert found is not None  # noqa: S101 - `is_module_name` said so
    value = _run(Path(found["file"]))
    try:
        for part in found["name"].split("."):
            value = getattr(value, part)
        made = value if isinstance(value, Module) else value()
    except Exception as error:
        raise InputError(f"{name} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, Module):
        raise InputError(f"{name} is a {type(made).__name__}, not a torch module or what makes one.")
    return made


def _run(path: Path) -> Any:
    spec = util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"There is no file {str(path)!r}.")
    module = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} failed while it ran: {type(error).__name__}: {error}") from error
    return module
