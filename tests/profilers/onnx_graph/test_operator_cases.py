"""ONNX's own cases of every operator: all are read but for training operators and previews, with the stored shapes."""

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from onnx.backend.test.case.node import collect_testcases

from latcast.schema import Graph, LatcastError
from profilers.onnx_graph import load_graph

PREVIEWS = ("ai.onnx.preview", "ai.onnx.preview.training")
"""Domains whose operators may change with every release."""


@cache
def cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about values at the edge of their types
        return [case for case in collect_testcases(None) if case.model is not None]


def is_preview(model: Any) -> bool:
    return any(node.domain in PREVIEWS for node in model.graph.node)


def shapes_fed(case: Any) -> Mapping[str, tuple[int, ...]]:
    """Shapes of the arrays that the case feeds, for the inputs whose sizes are names."""
    names = [info.name for info in case.model.graph.input]
    arrays = dict(zip(names, case.data_sets[0][0], strict=False))
    return {
        info.name: arrays[info.name].shape
        for info in case.model.graph.input
        if any(dim.dim_param for dim in info.type.tensor_type.shape.dim)
        and isinstance(arrays.get(info.name), np.ndarray)
    }


def stored_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs whose sizes are all stored."""
    stored = {}
    for info in model.graph.output:
        dims = info.type.tensor_type.shape.dim
        if info.type.WhichOneof("value") == "tensor_type" and all(dim.HasField("dim_value") for dim in dims):
            stored[info.name] = tuple(dim.dim_value for dim in dims)
    return stored


def read(case: Any) -> Graph | str:
    try:
        return load_graph(case.model.SerializeToString(), shapes=shapes_fed(case))
    except LatcastError as error:
        return str(error)


@pytest.mark.slow
def test_every_operator_is_read_with_the_shapes_that_are_stored() -> None:
    refused, other = {}, {}
    for case in cases():
        graph = read(case)
        if isinstance(graph, str):
            refused[case.name] = (is_preview(case.model), graph)
            continue
        shapes = {tensor.name: tensor.shape for tensor in graph.tensors}
        differing = {
            name: shapes.get(name) for name, shape in stored_shapes(case.model).items() if shapes.get(name) != shape
        }
        if differing:
            other[case.name] = differing
    assert len(cases()) > 1500
    assert {name: said for name, (preview, said) in refused.items() if not preview} == {}
    assert all("Unsupported operators" in said for _, said in refused.values())
    assert other == {}
