"""Measures many architectures of our own search spaces on this machine, resumably, into one file of JSON lines.

Two ways of measuring give the same kind of record. `careful` is the product's own pipeline: fresh sandboxed processes
for each network. `quick` profiles hundreds of small graphs in one worker process, a tenth of a second each: enough for
kernels, of which thousands are wanted.
"""

import gzip
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from profilers.environment import describe_device
from profilers.schema import Architecture, Device, LatcastError, Measurement, ProfileSettings, from_plain, to_plain
from profilers.search_spaces import get_space

__all__ = ["DEVICE_FILE", "MEASUREMENTS_FILE", "Campaign", "Row", "quick_worker", "read_rows"]

MEASUREMENTS_FILE, DEVICE_FILE = "measurements.jsonl.gz", "device.json"

CAREFUL = ProfileSettings(processes=2, max_seconds=0.4, warmup_seconds=0.3, timeout_s=60, sentinel=False)
QUICK = ProfileSettings(
    processes=1, min_samples=8, max_samples=60, max_seconds=0.08, warmup_seconds=0.03, stable_iqr=0.1, sentinel=False
)
SECONDS_PER_GRAPH = 20.0
"""A worker that says nothing for so long is stuck on a graph, and replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured architecture."""

    architecture: Architecture
    measurement: Measurement


class Campaign:
    """A folder with what was measured so far; measuring again skips what is there.

    Args:
        folder: made where it is missing.
        deadline_s: `time.monotonic()` after which nothing new is begun.
    """

    def __init__(self, folder: Path, *, deadline_s: float) -> None:
        self._path, self._deadline_s = folder / MEASUREMENTS_FILE, deadline_s
        folder.mkdir(parents=True, exist_ok=True)
        self._done = {row.architecture for row in read_rows(self._path)} if self._path.exists() else set()
        self._device = describe_device()
        (folder / DEVICE_FILE).write_text(json.dumps(to_plain(self._device), indent=1))

    def careful(self, wanted: Sequence[Architecture]) -> int:
        """Measure each in fresh sandboxed processes; returns how many are new."""
        from profilers.sandbox import measure

        count = 0
        with gzip.open(self._path, "at") as file:
            for architecture in self._missing(wanted):
                model = get_space(architecture.space).to_onnx(architecture)
                measurement = measure(model, device=self._device, settings=CAREFUL)
                self._write(file, Row(architecture=architecture, measurement=measurement))
                count += 1
        return count

    def quick(self, wanted: Sequence[Architecture]) -> int:
        """Measure each in a worker process; one that crashes or hangs costs its graph only. Returns how many."""
        waiting = list(self._missing(wanted))
        count = 0
        with gzip.open(self._path, "at") as file:
            while waiting and time.monotonic() < self._deadline_s:
                answered = 0
                for row in _work(waiting, self._device, self._deadline_s):
                    answered += 1
                    if row is not None:
                        self._write(file, row)
                        count += 1
                waiting = waiting[answered + 1 :]  # the worker ended on the graph after its last answer
        return count

    def _missing(self, wanted: Sequence[Architecture]) -> Iterator[Architecture]:
        for architecture in wanted:
            if time.monotonic() >= self._deadline_s:
                return
            if architecture not in self._done:
                self._done.add(architecture)
                yield architecture

    def _write(self, file: IO[str], row: Row) -> None:
        file.write(json.dumps(to_plain(row), separators=(",", ":")) + "\n")
        file.flush()


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a campaign; a line that was cut off by an interruption ends the file."""
    with gzip.open(path, "rt") as file:
        try:
            for line in file:
                yield from_plain(Row, json.loads(line))
        except (EOFError, json.JSONDecodeError):
            return


def _work(wanted: Sequence[Architecture], device: Device, deadline_s: float) -> Iterator[Row | None]:
    """Rows of one worker until it is done, ends or hangs; None for a graph that failed."""
    command = [sys.executable, str(Path(__file__).with_name("train_base.py")), "worker"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    request = json.dumps({"device": to_plain(device), "wanted": to_plain(list(wanted))})
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_pump, args=(worker, lines), daemon=True).start()
    try:
        _send(worker, request)
        while time.monotonic() < deadline_s:
            line = lines.get(timeout=SECONDS_PER_GRAPH)
            if not line:
                return
            plain = json.loads(line)
            yield None if plain is None else from_plain(Row, plain)
    except (queue.Empty, BrokenPipeError):
        return
    finally:
        worker.kill()
        worker.wait()


def _send(worker: "subprocess.Popen[str]", request: str) -> None:
    if worker.stdin is not None:
        with worker.stdin as stream:
            stream.write(request + "\n")


def _pump(worker: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    for line in worker.stdout or ():
        lines.put(line)
    lines.put("")


def quick_worker() -> None:
    """What the worker process does: reads what is wanted from standard input, writes a JSON line for each."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    request = json.loads(sys.stdin.readline())
    device = from_plain(Device, request["device"])
    _pin()
    for plain in request["wanted"]:
        architecture = from_plain(Architecture, plain)
        try:
            answer = to_plain(Row(architecture=architecture, measurement=_profile_quickly(architecture, device)))
        except (LatcastError, MemoryError, RuntimeError) as error:
            sys.stderr.write(f"{architecture.text}: {error}\n")
            answer = None
        sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def _pin() -> None:
    from profilers.affinity import choose_cpus, pin

    pin(choose_cpus(1, allowed=frozenset(os.sched_getaffinity(0))))


def _profile_quickly(architecture: Architecture, device: Device) -> Measurement:
    from profilers.backends import get_backend
    from profilers.counters.null import NullReader
    from profilers.feeds import feed_specs, make_feeds
    from profilers.onnx_graph import load_graph, refill_weights
    from profilers.profile import profile
    from profilers.sandbox import target_for

    model = get_space(architecture.space).to_onnx(architecture)
    graph = load_graph(model)
    specs = feed_specs(graph)
    producers = {
        graph.tensors[tensor].name: index
        for index, node in enumerate(graph.nodes)
        for tensor in node.outputs
        if tensor >= 0
    }
    run = profile(
        refill_weights(model, QUICK.seed),
        make_feeds(specs, QUICK.seed),
        get_backend(QUICK.backend),
        QUICK,
        counters=NullReader(),
        producers=producers,
    )
    target = target_for(device, QUICK)
    kept = replace(run, samples_ms=run.samples_ms[:20])
    return Measurement(graph=graph.hash, target=target, settings=QUICK, feeds=specs, runs=(kept,))
