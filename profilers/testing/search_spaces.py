"""The conformance suite that every search space passes, shipped with the code. Needs pytest and onnxruntime.

```python
class TestMine(SearchSpaceSuite):
    space = MySpace()
    malformed = ("", "what=ever")
```
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by onnxruntime when it is imported

from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

import numpy as np
import onnx
import onnxruntime
import pytest

from latcast.schema import Architecture, Graph, InvalidArchitectureError
from latcast.schema.counting import counted
from profilers.onnx_graph import load_graph, refill_weights
from profilers.search_spaces.base import SearchSpace
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.chains import record_chain, record_part

__all__ = ["SearchSpaceSuite", "run_once"]

NEIGHBOURS = 60
FINDERS = {"NonMaxSuppression", "NonZero"}
"""Operators whose results have as many rows as they find; a graph may not end in one."""
CHECKED_BYTES = 2**25
DTYPES = {"float32": np.float32, "int64": np.int64, "int32": np.int32, "bool": np.bool_, "uint8": np.uint8,
          "int8": np.int8}  # fmt: skip


class SearchSpaceSuite:
    """What `SearchSpace` promises.

    Attributes:
        space: the space under test.
        malformed: texts that are none of it, beside those that the suite makes by damaging valid ones.
        samples: architectures to build.
        runs: architectures to run, of those with at most `run_macs` multiply-accumulates.
    """

    space: ClassVar[SearchSpace]
    malformed: ClassVar[tuple[str, ...]] = ()
    samples: ClassVar[int] = 12
    runs: ClassVar[int] = 3
    run_macs: ClassVar[int] = 2 * 10**8

    def drawn(self, count: int, seed: int = 0) -> list[Architecture]:
        """Architectures at random, the same ones for the same seed."""
        rng = np.random.default_rng(seed)
        return [self.space.sample(rng) for _ in range(count)]

    def test_the_example_is_valid(self) -> None:
        assert self.space.parse(self.space.example).space == self.space.name

    def test_format_undoes_parse(self) -> None:
        for architecture in self.drawn(self.samples):
            assert self.space.parse(self.space.format(architecture)) == architecture
            assert self.space.parse(architecture.text) == architecture

    def test_malformed_texts_are_refused_with_a_place(self) -> None:
        for text in {*self.malformed, *self._damaged()}:
            with pytest.raises(InvalidArchitectureError) as caught:
                self.space.parse(text)
            assert "character" in str(caught.value)
            assert self.space.name in str(caught.value)
            assert len(str(caught.value)) < 2000

    def _damaged(self) -> Iterator[str]:
        text = self.drawn(1)[0].text
        yield from ("", " ", "nonsense", "\x00", text + "\n", text + "|x", " " + text, text * 50, text.swapcase())
        yield text[: len(text) // 2] + "\u0665" + text[len(text) // 2 :]

    def test_a_chain_is_the_network_and_parts_of_one_key_record_the_same(self) -> None:
        recorded: dict[object, tuple[str, Tensor]] = {}
        for architecture in self.drawn(self.samples):
            if (chain := self.space.chain(architecture)) is None:
                continue
            net = GraphBuilder(self.space.name)
            record_chain(net, chain)
            assert load_graph(net.to_bytes()).hash == load_graph(self.space.to_onnx(architecture)).hash
            shape = tuple(chain.shape)
            for part in chain.parts:
                by_itself = GraphBuilder(self.space.name)
                result = part.build(by_itself, by_itself.input("image", shape))
                record = repr(by_itself.recorded())
                assert recorded.setdefault((part.key, shape), (record, result)) == (record, result), part.key
                shape = result.shape

    def test_parts_have_the_nodes_of_the_network_and_those_of_one_key_record_the_same(self) -> None:
        recorded: dict[object, str] = {}
        for architecture in self.drawn(self.samples):
            if (network := self.space.parts(architecture)) is None:
                continue
            shapes, nodes = [tuple(network.shape)], 0
            for place, part in enumerate(network.parts):
                reads = [place] if part.reads is None else [read + 1 for read in part.reads]
                (shape,) = {shapes[read] for read in reads}
                by_itself = GraphBuilder(self.space.name)
                record_part(by_itself, part, shape)
                record = by_itself.recorded()
                assert recorded.setdefault((part.key, shape), repr(record)) == repr(record), part.key
                shapes.append(record.outputs[0].shape)
                nodes += load_graph(by_itself.to_bytes()).size
            assert nodes == load_graph(self.space.to_onnx(architecture)).size

    def test_sampling_is_seeded(self) -> None:
        assert self.drawn(5, seed=7) == self.drawn(5, seed=7)
        assert self.drawn(5, seed=7) != self.drawn(5, seed=8)

    def test_samples_are_never_degenerate(self) -> None:
        assert not any(self.space.is_degenerate(architecture) for architecture in self.drawn(self.samples))

    def test_neighbours_are_valid_distinct_and_others(self) -> None:
        for architecture in self.drawn(3):
            texts = [item.text for item in islice(self.space.neighbours(architecture), NEIGHBOURS)]
            assert texts
            assert len(set(texts)) == len(texts)
            assert architecture.text not in texts
            assert texts == [item.text for item in islice(self.space.neighbours(architecture), NEIGHBOURS)]
            for text in texts:
                assert self.space.parse(text).text == text

    def test_encodings_have_the_same_names_shapes_and_types(self) -> None:
        kinds = set()
        for architecture in self.drawn(self.samples):
            encoding = self.space.encode(architecture)
            assert all(np.isfinite(array).all() for array in encoding.values())
            kinds.add(tuple((name, array.shape, str(array.dtype)) for name, array in encoding.items()))
        assert len(kinds) == 1

    def test_encodings_tell_architectures_apart(self) -> None:
        architectures = {item.text: item for item in self.drawn(self.samples)}.values()
        encoded = {
            b"".join(array.tobytes() for array in self.space.encode(architecture).values())
            for architecture in architectures
        }
        assert len(encoded) == len(architectures)

    def test_canonical_texts_are_fixed_points(self) -> None:
        for architecture in self.drawn(self.samples):
            canonical = self.space.canonical(architecture.text)
            assert self.space.canonical(canonical) == canonical

    def test_the_same_text_gives_the_same_bytes(self) -> None:
        for architecture in self.drawn(3):
            again = self.space.parse(architecture.text)
            assert self.space.to_onnx(architecture) == self.space.to_onnx(again)

    def test_models_are_valid_and_static(self) -> None:
        for architecture in self.drawn(self.samples):
            model = self.space.to_onnx(architecture)
            graph = load_graph(model)
            counted = {i for node in graph.nodes if node.operator in FINDERS for i in node.outputs}
            unknown = {i for i, tensor in enumerate(graph.tensors) if tensor.shape is None}
            assert unknown <= counted - set(graph.outputs), architecture.text
            if graph.parameter_bytes < CHECKED_BYTES:
                onnx.checker.check_model(onnx.load_from_string(refill_weights(model, 0)))

    def test_models_run(self) -> None:
        ran = 0
        for architecture in self.drawn(10 * self.runs, seed=1):
            model = self.space.to_onnx(architecture)
            graph = load_graph(model)
            if graph.macs <= self.run_macs and graph.parameter_bytes < CHECKED_BYTES:
                run_once(refill_weights(model, 0), graph)
                ran += 1
            if ran == self.runs:
                return
        pytest.fail(f"of {counted(10 * self.runs, 'sample')} only {ran} were small enough to run")


def run_once(model: bytes, graph: Graph) -> dict[str, np.ndarray]:
    """Outputs of a model in ONNX Runtime, their shapes compared with the graph's."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feeds = {}
    for spec in (graph.tensors[index] for index in graph.inputs):
        dtype = DTYPES[spec.dtype]
        feeds[spec.name] = (
            rng.standard_normal(spec.shape).astype(dtype) if dtype is np.float32 else np.ones(spec.shape or (), dtype)
        )
    outputs = dict(zip([item.name for item in session.get_outputs()], session.run(None, feeds), strict=True))
    for spec in (graph.tensors[index] for index in graph.outputs):
        assert outputs[spec.name].shape == spec.shape
        assert str(outputs[spec.name].dtype) == spec.dtype
    return outputs
