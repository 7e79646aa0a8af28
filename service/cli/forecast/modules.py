"""Torch modules that people name on the command line: `module.py:Net`."""

import re
import sys
from collections.abc import Iterable, Sequence
from importlib import util
from pathlib import Path
from typing import Any

import typer

from latcast.schema import BackendUnavailableError, InputError
from latcast.schema.articles import with_article
from service.cli.shapes import parse_input

__all__ = ["is_module_name", "module_inputs", "module_onnx"]

NAME = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_][A-Za-z0-9_.]*)")


def is_module_name(name: str) -> bool:
    """Whether a text names a torch module in a file of Python."""
    return NAME.fullmatch(name) is not None


def module_inputs(names: Iterable[str], inputs: Sequence[str]) -> list[tuple[int, ...]]:
    """The shapes of the inputs of those networks that are torch modules.

    Args:
        names: as people name networks.
        inputs: texts of `--input`.

    Raises:
        typer.BadParameter: there are modules and no inputs, or inputs and no modules, or an input is not of the form
            1,3,224,224.
    """
    module = next(filter(is_module_name, names), None)
    if module is not None and not inputs:
        raise typer.BadParameter(f"{module} is a torch module: say with --input which shapes go in, as in 1,3,224,224.")
    if module is None and inputs:
        raise typer.BadParameter("--input is for torch modules (net.py:Net); an ONNX file's sizes go with --shape.")
    return [parse_input(text) for text in inputs]


def module_onnx(name: str, inputs: Sequence[Sequence[int]]) -> bytes:
    """The ONNX model of a torch module, without its weights. Runs the file, as `python` would.

    Args:
        name: `file.py:Name`, where the name is a module, or a class or function that makes one without arguments.
        inputs: shape of each of its inputs, as `module_inputs` gives them.

    Raises:
        InputError: the file or the name is not there or fails, or the module cannot be exported.
    """
    from latcast.loops.torch_modules import onnx_of

    try:
        return onnx_of(_module(name), inputs)
    except BackendUnavailableError as error:
        raise InputError(f"{name} cannot be exported: {error}") from error


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
        raise InputError(f"{name} is {with_article(type(made).__name__)}, not a torch module or what makes one.")
    return made


def _run(path: Path) -> Any:
    spec = util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"There is no file {str(path)!r}.")
    module = util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)  # where dataclasses look their own module up
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.append(folder)  # for what lies beside it; behind ours, so that no name of theirs takes our place
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script that reads its own arguments ends itself
        raise InputError(f"{path} failed while it ran: {type(error).__name__}: {error}") from error
    return module
