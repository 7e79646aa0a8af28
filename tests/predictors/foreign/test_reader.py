"""The limited process answers as reading in this process does, and survives what it does not."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from onnx import TensorProto, helper

from latcast.schema import Architecture, InputError, InvalidModelError, Target, UnknownNameError, UnsupportedGraphError
from predictors.base import Query
from predictors.features.flat import FLAT
from predictors.features.kernels import ExecutionTraits, kernel_table, kernels_feature
from predictors.foreign.child import read_here
from predictors.foreign.features import features_for
from predictors.foreign.reader import ForeignReader, read_query
from predictors.registry import pretrained
from profilers.onnx_graph import load_graph
from profilers.onnx_graph.isolated.pool import ForeignModel, ModelText
from profilers.search_spaces import get_space

TARGET = Target(device="d", backend="onnxruntime", backend_version="1")
KERNELS = kernels_feature(ExecutionTraits.of(TARGET))
EVERYTHING = features_for(["kernels", "kernel_names", "flat", "costs", "summary", "compressed_model"], TARGET)


def model(operator: str, shapes: list[list[int]], outputs: int = 1, opset: int = 18, **attributes: object) -> bytes:
    names = [f"x{place}" for place in range(len(shapes))]
    node = helper.make_node(operator, names, [f"y{place}" for place in range(outputs)], **attributes)
    inputs = [
        helper.make_tensor_value_info(*pair) for pair in zip(names, [TensorProto.FLOAT] * 9, shapes, strict=False)
    ]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y0", TensorProto.FLOAT, None)])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return bytes(proto.SerializeToString())


@pytest.fixture(scope="module")
def reader() -> Iterator[ForeignReader]:
    with ForeignReader(workers=1) as made:
        yield made


def test_features_are_those_that_are_read_here(reader: ForeignReader) -> None:
    source = ForeignModel(content=model("MatMul", [[4, 8], [8, 3]]))
    away, here = reader.read(source, EVERYTHING), read_here(source, EVERYTHING)
    assert (away.hash, away.flops, away.size) == (here.hash, here.flops, here.size)
    assert away.features.keys() == here.features.keys() == set(EVERYTHING)
    assert kernel_table(away).operators == kernel_table(here).operators


def test_a_query_has_what_its_predictor_reads(reader: ForeignReader) -> None:
    content = model("MatMul", [[4, 8], [8, 3]])
    predictor = pretrained("universal-graphs")
    query = read_query(reader, ForeignModel(content=content), predictor=predictor, target=TARGET, also=["record"])
    here = Query(target=TARGET, graph=load_graph(content))
    assert predictor.predict([query]).median_ms == pytest.approx(predictor.predict([here]).median_ms, rel=1e-9)
    assert query.has_graph
    assert query.network.hash == here.graph.hash
    assert query.graph == here.graph, "the record, which was asked for, too"


def test_texts_are_built(reader: ForeignReader) -> None:
    text = Architecture(space="nasbench201", text=get_space("nasbench201").example)
    assert len(kernel_table(reader.read(ModelText(architecture=text), [KERNELS]))) > 10
    with pytest.raises(UnknownNameError, match="nowhere"):
        reader.read(ModelText(architecture=Architecture(space="nowhere", text="x")), [])


def test_kernels_that_cannot_be_foreseen_are_an_error_of_that_feature(reader: ForeignReader) -> None:
    odd = model("QGemm", [[2, 3]], domain="com.microsoft")  # whose inputs are not counted by the reader
    away = reader.read(ForeignModel(content=odd), [KERNELS, FLAT])
    with pytest.raises(UnsupportedGraphError, match="cannot be foreseen"):
        kernel_table(away)
    assert len(away.feature(FLAT)) > 10


@pytest.mark.parametrize(
    "content",
    [
        model("LayerNormalization", [[2, 3]] * 3, outputs=3, axis=2**31),
        model("Split", [[2, 3]], outputs=3, num_outputs=1),
        b"junk",
    ],
    ids=["SIGSEGV", "SIGABRT", "no model"],
)
def test_the_next_model_is_read_after_one_that_ends_the_process(reader: ForeignReader, content: bytes) -> None:
    with pytest.raises(InputError):
        reader.read(ForeignModel(content=content), [KERNELS])
    assert reader.read(ForeignModel(content=model("Relu", [[2, 3]])), [KERNELS]).size == 1


def test_memory_is_limited() -> None:
    with (
        ForeignReader(workers=1, memory_bytes=2**24) as small,
        pytest.raises(InvalidModelError, match=r"memory|crashed"),
    ):
        small.read(ForeignModel(content=model("Relu", [[2, 3]]) + bytes(2**25)), [KERNELS])


def test_asking_takes_no_onnx() -> None:
    code = "import sys, predictors.foreign.reader, predictors.foreign.features; sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
