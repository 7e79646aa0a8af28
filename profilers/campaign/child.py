"""The process that measures many graphs on one target: `python -m profilers.campaign.child`.

`profilers.campaign.process` starts it and asks it (`profilers.host.long_lived`). For each architecture there are two
answers: the graph's hash and feeds before anything is run, then what was measured.
"""

import gc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from latcast.schema import (
    Architecture,
    Failure,
    FeedSpec,
    Graph,
    GraphHash,
    ProcessRun,
    ProfileSettings,
    from_plain,
    to_plain,
)
from profilers.backends import Backend, get_backend
from profilers.counters.combined import CombinedReader
from profilers.counters.perf_event import PerfEventReader
from profilers.counters.process import ProcessReader
from profilers.feeds import feed_specs, make_feeds
from profilers.host.cpus import pin
from profilers.host.long_lived import Requests
from profilers.onnx_graph import load_graph, refill_weights
from profilers.quantisation import CALIBRATION_FEEDS
from profilers.search_spaces import get_space
from profilers.timing.failures import failure_of
from profilers.timing.loop import profile
from profilers.timing.sentinel import sentinel_latency_ms, sentinel_model

__all__ = ["StepAnswer", "StepRequest", "TargetSetup", "serve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSetup:
    """What holds for all requests.

    Args:
        settings: how to measure.
        cpus: CPUs to be pinned to; empty leaves the scheduler free.
    """

    settings: ProfileSettings
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRequest:
    """Measure an architecture, or without one the sentinel."""

    architecture: Architecture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswer:
    """Graph and feeds of an architecture, then its run; or the sentinel's latency in ms; or a failure."""

    graph: GraphHash = ""
    feeds: tuple[FeedSpec, ...] = ()
    run: ProcessRun | None = None
    sentinel_ms: float | None = None
    failure: Failure | None = None


def serve(requests: Requests) -> None:
    """Answer requests until there are no more."""
    setup = from_plain(TargetSetup, requests.setup)
    if setup.cpus:
        pin(frozenset(setup.cpus))
    gc.disable()  # a collection in the middle of a sample would be the model's fault
    for header, _ in requests:
        for answer in _answers(from_plain(StepRequest, header), setup.settings):
            requests.answer(to_plain(answer))
        gc.collect()


def _answers(request: StepRequest, settings: ProfileSettings) -> Iterator[StepAnswer]:
    stage, backend = "load", get_backend(settings.backend)
    try:
        if request.architecture is None:
            yield StepAnswer(sentinel_ms=_sentinel_ms(backend, settings))
            return
        model = get_space(request.architecture.space).to_onnx(request.architecture)
        graph = load_graph(model)
        feeds = feed_specs(graph)
        yield StepAnswer(graph=graph.hash, feeds=feeds)
        model, stage = refill_weights(model, settings.seed), "open"
        yield StepAnswer(run=_measure(_prepared(model, feeds, backend, settings), graph, feeds, backend, settings))
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is a failure of the model, and reported
        yield StepAnswer(failure=failure_of(error, settings, refused=stage))


def _sentinel_ms(backend: Backend, settings: ProfileSettings) -> float:
    """The sentinel's latency on one thread: the time in which several wake varies while the host is steady."""
    return sentinel_latency_ms(sentinel_model(), backend, replace(settings, threads=1))


def _prepared(model: bytes, feeds: tuple[FeedSpec, ...], backend: Backend, settings: ProfileSettings) -> bytes:
    """The model as the backend wants it for the precision."""
    if settings.precision not in backend.prepared_precisions:
        return model
    seeds = range(settings.seed, settings.seed + CALIBRATION_FEEDS)
    return backend.prepare(model, settings, [make_feeds(feeds, seed) for seed in seeds])


def _measure(
    model: bytes, graph: Graph, feeds: tuple[FeedSpec, ...], backend: Backend, settings: ProfileSettings
) -> ProcessRun:
    tensors = graph.tensors
    producers = {tensors[i].name: index for index, node in enumerate(graph.nodes) for i in node.outputs if i >= 0}
    with closing(CombinedReader([PerfEventReader(), ProcessReader()])) as counters:
        return profile(
            model,
            make_feeds(feeds, settings.seed),
            backend,
            settings,
            counters=counters,
            producers=producers,
        )


if __name__ == "__main__":
    serve(Requests.of_this_process())
