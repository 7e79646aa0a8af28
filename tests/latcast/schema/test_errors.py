"""Errors are one tree, and say what to do."""

import pickle
import re

import pytest

from latcast.errors import LeaseLostError
from latcast.schema import (
    BackendUnavailableError,
    InputError,
    InvalidFeedsError,
    InvalidModelError,
    LatcastError,
    ModelLimitError,
    UnboundDimensionError,
    UnknownNameError,
    UnsupportedGraphError,
    UnsupportedOperatorError,
)


def test_errors_say_what_to_do():
    assert "nodes = 5" in str(ModelLimitError("nodes", allowed=5, found=9))
    assert "x[0] (n), y[2]" in str(UnboundDimensionError([("x", 0, "n"), ("y", 2, "")]))
    assert "Did you mean 'nasbench201'?" in str(UnknownNameError("search space", "nasbench210", ["nasbench201", "zoo"]))


def test_a_message_lists_no_more_names_than_can_be_read() -> None:
    error = UnknownNameError("target", "x", [f"t{number:04}" for number in range(1_041)])
    assert str(error).endswith("t0038, t0039 and 1,001 more.")
    assert len(error.known) == 1_041


def test_operators_are_named_once_and_in_order() -> None:
    assert UnsupportedOperatorError(["b.Y", "a.X", "b.Y"]).operators == ("a.X", "b.Y")
    assert UnsupportedGraphError("No.", operators=["Y", "X", "Y"]).operators == ("X", "Y")


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        ("com.microsoft.nchwc.ReorderInput", "give the model that it read.*ORT_ENABLE_EXTENDED"),
        ("com.ms.internal.nhwc.Conv", "give the model that it read"),
        ("ai.onnx.contrib.BertTokenizer", "onnxruntime-extensions: export the network without"),
        ("org.pytorch.aten.ATen", "newer torch"),
        ("my.Operator", "operators that ai.onnx, ai.onnx.ml or com.microsoft have"),
    ],
)
def test_who_writes_an_operator_that_is_not_known_is_said(operator: str, said: str) -> None:
    assert re.search(
        f"Unsupported operators: {re.escape(operator)}\\. .*{said}", str(UnsupportedOperatorError([operator]))
    )


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (ModelLimitError, InvalidModelError),
        (UnboundDimensionError, InvalidModelError),
        (InvalidModelError, InputError),
        (InvalidFeedsError, InputError),
        (InputError, LatcastError),
        (BackendUnavailableError, LatcastError),
    ],
)
def test_what_a_caller_caused_is_told_apart_from_what_a_machine_lacks(
    child: type[Exception], parent: type[Exception]
) -> None:
    assert issubclass(child, parent)
    assert not issubclass(BackendUnavailableError, InputError)


def every(cls: type[LatcastError]) -> list[type[LatcastError]]:
    """The class, and those of the vocabulary and of the service that are below it."""
    below = [child for child in cls.__subclasses__() if child.__module__ in ("latcast.schema.errors", "latcast.errors")]
    return [cls, *(found for child in below for found in every(child))]


@pytest.mark.parametrize("cls", dict.fromkeys([*every(LatcastError), LeaseLostError]), ids=lambda cls: cls.__name__)
def test_every_error_crosses_to_another_process(cls: type[LatcastError]) -> None:
    error = cls.__new__(cls, "It is {broken}.")
    error.retry_after_s = 3.0  # type: ignore[attr-defined]
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(twin), str(twin), twin.retry_after_s) == (cls, "It is {broken}.", 3.0)


@pytest.mark.parametrize(
    "error",
    [
        ModelLimitError("nodes", allowed=5, found=9),
        UnboundDimensionError([("x", 0, "n")], declared={"x": ["n", 3]}),
        UnknownNameError("search space", "nasbench210", ["nasbench201", "zoo"]),
        UnsupportedOperatorError(["b.Y", "a.X"]),
        UnsupportedGraphError("No.", operators=["Y"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_an_error_knows_crosses_too(error: LatcastError) -> None:
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))
