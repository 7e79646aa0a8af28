"""A pool's workers answer with parts of models, end with their callers, and hold nothing for long."""

import threading
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from latcast.schema import Architecture, InvalidModelError, LatcastError, ModelLimitError
from profilers.host.cancellation import Cancellation, WorkCancelledError, cancelled_by
from profilers.onnx_graph import Limits, load_graph, strip_weights
from profilers.onnx_graph.isolated.pool import ForeignModel, ModelText, ReaderPool, read_answer
from profilers.onnx_graph.remarks import described
from profilers.search_spaces import get_space
from tests.profilers.onnx_graph.models import proto_of, relu

MODEL = proto_of([relu()]).SerializeToString()
LONG = proto_of([relu("x", "t0"), *(relu(f"t{at}", f"t{at + 1}") for at in range(40_000))], outputs=("t1",))


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def pool_of(**settings: float) -> ReaderPool:
    arguments = {"timeout_s": 30.0, "memory_bytes": 900 * 2**20, "workers": 1, **settings}
    return ReaderPool("profilers.onnx_graph.isolated.child", limits=Limits(), **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    made = pool_of()
    yield made
    made.close()


def test_parts_come_in_the_order_in_which_they_are_asked_for(pool: ReaderPool) -> None:
    read = pool.read(ForeignModel(content=MODEL), [("summary",), ("model",)])
    graph = load_graph(MODEL)
    assert (read.hash, read.flops, read.size) == (graph.hash, graph.flops, 1)
    assert read.parts[0] == (described(graph), {})
    assert read.arrays(1)["bytes"].tobytes() == strip_weights(MODEL)


def test_a_part_that_cannot_be_read_spoils_no_other(pool: ReaderPool) -> None:
    read = pool.read(ForeignModel(content=MODEL), [("nonsense",), ("summary",)])
    assert isinstance(read.parts[0], InvalidModelError)
    with pytest.raises(InvalidModelError, match="KeyError"):
        read.arrays(0)
    assert not isinstance(read.parts[1], InvalidModelError)


def test_texts_are_built_and_models_of_another_batch_bound(pool: ReaderPool) -> None:
    text = Architecture(space="nasbench201", text=get_space("nasbench201").example)
    assert pool.read(ModelText(architecture=text), []).hash == load_graph(get_space("nasbench201").to_onnx(text)).hash
    assert pool.read(ForeignModel(content=MODEL, batch=7), []).hash != pool.read(ForeignModel(content=MODEL), []).hash


def test_what_is_too_large_is_not_sent() -> None:
    small = ReaderPool("nowhere", limits=Limits(model_bytes=10), timeout_s=1.0, memory_bytes=2**20, workers=1)
    with pytest.raises(ModelLimitError, match="model_bytes"):
        small.read(ForeignModel(content=MODEL), [])
    small.close()


def test_work_ends_when_its_caller_goes_and_the_next_call_is_answered() -> None:
    pool, cancellation = pool_of(), Cancellation()
    pool.read(ForeignModel(content=MODEL), [])
    with cancelled_by(cancellation):
        threading.Timer(0.05, cancellation.cancel).start()
        with pytest.raises(WorkCancelledError):
            pool.read(ForeignModel(content=LONG.SerializeToString()), [("record",)])
    assert pool.read(ForeignModel(content=MODEL), []).hash
    pool.close()


def test_a_caller_that_goes_waits_for_no_worker() -> None:
    pool, cancellation = pool_of(), Cancellation()
    busy = threading.Thread(target=lambda: pool.read(ForeignModel(content=LONG.SerializeToString()), []))
    busy.start()
    cancellation.cancel()
    with cancelled_by(cancellation), pytest.raises(WorkCancelledError):
        pool.read(ForeignModel(content=MODEL), [])
    busy.join()
    pool.close()
    assert pool.is_closed
    with pytest.raises(LatcastError, match="closed"):
        pool.read(ForeignModel(content=MODEL), [])


def test_processor_time_is_limited_too() -> None:
    pool = pool_of(timeout_s=0.25)
    with pytest.raises(InvalidModelError, match=r"longer than 0.25 s|crashed"):
        pool.read(ForeignModel(content=LONG.SerializeToString()), [("record",), ("model",)] * 10)
    pool.close()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"hash": 3, "flops": 1, "size": 1, "parts": [], "arrays": []},
        {"hash": "g1-x", "flops": 1, "size": 1, "parts": [{"plain": 1}, {"plain": 2}], "arrays": []},
        {"hash": "g1-x", "flops": 1, "size": 1, "parts": [{}], "arrays": [["0.a", "<f8", [1]]]},
        {"hash": "g1-x", "flops": [], "size": 1, "parts": [{"plain": 1}], "arrays": []},
    ],
)
def test_what_is_no_answer_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(InvalidModelError, match="malformed"):
        read_answer(answer, np.zeros(2).tobytes(), 1)


def test_the_worker_that_is_ready_is_asked_before_another_is_started() -> None:
    pool = pool_of(workers=2)
    before = _children()
    pool.start_one()
    mine = _children() - before
    assert mine
    for _ in range(3):
        pool.read(ForeignModel(content=MODEL), [])
    assert _children() - before == mine
    pool.close()
    pool.start_one()
    assert not _children() & mine


def test_a_worker_that_cannot_start_ahead_is_told_of_when_it_is_needed() -> None:
    pool = ReaderPool("nowhere", limits=Limits(), timeout_s=5.0, memory_bytes=900 * 2**20, workers=1)
    pool.start_one()
    with pytest.raises(LatcastError, match="did not start"):
        pool.read(ForeignModel(content=MODEL), [])
    pool.close()
