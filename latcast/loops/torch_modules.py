"""Torch modules as ONNX models, through `torch.export`. Torch is imported when there is a module, and not before."""

import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latcast.onnx_files import without_weights
from latcast.schema import BackendUnavailableError, InputError

__all__ = ["is_module", "onnx_of"]

_TABLE_OF_OPERATORS = "torch.onnx._internal.exporter._registration"
"""Where torch logs which operators its exporter does not know here, as those of torchvision where that is missing."""


def is_module(value: object) -> bool:
    """Whether something is a torch module; whoever has one has imported torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def onnx_of(module: Any, inputs: Sequence[Any]) -> bytes:
    """The ONNX model of a torch module in evaluation mode, without its weights.

    Args:
        module: a `torch.nn.Module`; its modes are afterwards what they were.
        inputs: shape of each float32 input, in order; a tensor, where one is, stands for its own shape and type.

    Raises:
        BackendUnavailableError: onnxscript is not installed, through which torch writes ONNX.
        InputError: torch cannot export the module; says why.
    """
    import torch

    example = tuple(one if isinstance(one, torch.Tensor) else torch.zeros(tuple(map(int, one))) for one in inputs)
    with _evaluating(module), _quiet_table(), warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(torch.export.export(module, example), dynamo=True, verbose=False)
        except ImportError as error:
            raise BackendUnavailableError(
                f"Torch writes ONNX with onnxscript: pip install onnxscript ({error})."
            ) from error
        except Exception as error:
            raise InputError(f"torch.export cannot export {type(module).__name__}: {_first_line(error)}") from error
        assert program is not None  # noqa: S101 - without a file it is
        path = Path(folder) / "module.onnx"
        program.save(path, external_data=True)
        return without_weights(path)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _quiet_table() -> Iterator[None]:
    """Leave out what the exporter says of operators in general: what it cannot export of a module is an error."""
    logger = logging.getLogger(_TABLE_OF_OPERATORS)
    logger.addFilter(_is_error)
    try:
        yield
    finally:
        logger.removeFilter(_is_error)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
