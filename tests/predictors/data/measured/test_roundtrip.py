"""Log → Parquet → data set: nothing is lost, nothing silently dropped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from latcast.schema import (
    Architecture,
    CounterReading,
    Device,
    Environment,
    Failure,
    InputError,
    KernelTiming,
    Measurement,
    Microbench,
    ProcessRun,
    ProfileSettings,
    Target,
)
from predictors.data.measured import ROWS_FILE, pack, read_measured, read_rows, read_targets
from profilers.campaign import CampaignLog, Check, Entry, Note, Row
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space

DEVICE = Device(
    fingerprint="f" * 32, name="host", machine="x86_64", processor="P", physical_cores=2, logical_cores=4,
    memory_bytes=2**34, cache_bytes={"L1d": 32768}, features=("avx2", "fma"), details={"container": "docker"},
)  # fmt: skip
ONE = Target(
    device=DEVICE.fingerprint, backend="fake", backend_version="1", options={"latency_us": "5", "fault": "none"}
)
TWO = Target(device=DEVICE.fingerprint, backend="fake", backend_version="1", threads=2)
CONV = "conv/in=8,out=8,size=8,kernel=3,stride=1,groups=1,activation=relu"
GEMM = "gemm"
KERNELS = (
    KernelTiming(operator="FusedConv", share=0.75, time_ms=0.75, node=1, input_shapes=((1, 8, 8, 8), ()),
                 output_shapes=((1, 8, 8, 8),), dtype="float32"),
    KernelTiming(operator="ReorderOutput", share=0.25, time_ms=0.25),
)  # fmt: skip


def architecture(text: str) -> Architecture:
    return get_space("kernels").parse(text)


def row(
    text: str = CONV, *, target: Target = ONE, ms: tuple[float, ...] = (1.0,), graph: str = "", **fields: object
) -> Row:
    known = architecture(text)
    return Row(
        architecture=known,
        measurement=Measurement(
            graph=graph or load_graph(get_space("kernels").to_onnx(known)).hash,
            target=target,
            settings=ProfileSettings(backend="fake", processes=len(ms)),
            runs=tuple(
                ProcessRun(
                    samples_ms=(0.9 * m, m, 1.2 * m),
                    kernels=KERNELS,
                    counters=CounterReading(values={"page-faults": 2.0}),
                    load_ms=3.0,
                    peak_memory_bytes=1000,
                )
                for m in ms
            ),
            **fields,  # type: ignore[arg-type]
        ),
    )


def campaign(folder: Path, *entries: Entry) -> Path:
    with CampaignLog(folder) as log:
        for target in (ONE, TWO):
            log.append(
                Note(
                    target=target,
                    device=DEVICE,
                    versions={"python": "3.11"},
                    microbench=Microbench(target=target, values={"gemm_ms": 0.5}),
                )
            )
        for entry in entries:
            log.append(entry)
    return folder


def test_every_field_survives(tmp_path: Path) -> None:
    state = Environment(time_unix_s=1e9, load_1m=0.5, steal_share=0.01)
    measured = row(ms=(1.0, 1.1), before=state, sentinel_ms=(2.0, 2.05))
    (found,) = pack([campaign(tmp_path / "log", measured)], tmp_path / "data")
    (reread,) = read_rows(tmp_path / "data")
    assert replace(reread, kernels=found.kernels) == found
    summary = measured.measurement.summary
    assert summary is not None
    assert (found.latency_ms, found.p10_ms, found.iqr_ms) == (summary.median_ms, summary.p10_ms, summary.iqr_ms)
    assert (found.method, found.processes, found.samples, found.peak_memory_bytes) == ("careful", 2, 6, 1000)
    assert found.sentinel_drift == pytest.approx(0.025)
    assert (found.time_unix_s, found.load_1m, found.steal_share) == (1e9, 0.5, 0.01)
    assert found.counters == {"page-faults": 2.0}
    assert found.architecture == measured.architecture


def test_kernels_add_up_to_the_latency(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row(ms=(2.0,)))], tmp_path / "data")
    (found,) = read_rows(tmp_path / "data")
    assert found.kernels == (replace(KERNELS[0], time_ms=1.5), replace(KERNELS[1], time_ms=0.5))


def test_targets_keep_device_descriptor_and_versions(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row())], tmp_path / "data")
    first, second = read_targets(tmp_path / "data")
    assert (first.target, second.target) == (ONE, TWO)
    assert first.device == DEVICE
    assert (first.microbench, first.versions) == ({"gemm_ms": 0.5}, {"python": "3.11"})


def test_the_data_set_has_graphs_kernels_and_evidence(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row(), row(target=TWO, ms=(3.0,)))], tmp_path / "data")
    data = read_measured(tmp_path / "data")
    assert data.latency_ms.tolist() == [1.0, 3.0]
    assert [query.target for query in data.queries] == [ONE, TWO]
    assert data.queries[0].graph is data.queries[1].graph
    assert data.queries[0].graph.hash == row().measurement.graph
    assert data.kernels is not None
    assert [len(kernels or ()) for kernels in data.kernels] == [2, 2]
    assert data.evidence[TWO.id].microbench == {"gemm_ms": 0.5}


def test_failures_are_rows_without_latency(tmp_path: Path) -> None:
    failed = replace(row().measurement, runs=(), failure=Failure(stage="timeout", message="Too slow."))
    pack([campaign(tmp_path / "log", replace(row(), measurement=failed), row(GEMM))], tmp_path / "data")
    found, _ = read_rows(tmp_path / "data")
    assert (found.latency_ms, found.noise_log, found.failure_stage) == (None, None, "timeout")
    assert found.failure_message == "Too slow."
    assert len(read_measured(tmp_path / "data")) == 1


def test_a_graph_that_changed_is_kept_as_stale(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row(graph="0" * 64), row(GEMM))], tmp_path / "data")
    assert [found.stale for found in read_rows(tmp_path / "data")] == [True, False]
    assert len(read_measured(tmp_path / "data")) == 1


def test_what_was_found_stale_is_remembered_until_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack([campaign(tmp_path / "log", row())], tmp_path / "data")
    monkeypatch.setattr("predictors.data.measured.packing._built_hash", lambda _: "another")
    assert not pack([tmp_path / "log"], tmp_path / "data")[0].stale
    assert pack([tmp_path / "log"], tmp_path / "data", recheck=True)[0].stale


def test_a_generator_that_changed_since_packing_is_noticed(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row())], tmp_path / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("profilers.search_spaces.kernels.Kernels.to_onnx", lambda self, _: GEMM_BYTES)
        with pytest.raises(InputError, match="another graph"):
            read_measured(tmp_path / "data").queries[0].graph  # noqa: B018


GEMM_BYTES = get_space("kernels").to_onnx(architecture(GEMM))


def test_steady_measurements_of_a_graph_on_a_target_are_one_row(tmp_path: Path) -> None:
    graph = row().measurement.graph
    drifted = Check(target=ONE.id, before_ms=1.0, after_ms=2.0, graphs=(graph,))
    log = campaign(tmp_path / "log", row(ms=(1.0,)), row(ms=(2.0,)), drifted, row(GEMM), row(GEMM, ms=(2.0, 2.0)))
    rows = pack([log, campaign(tmp_path / "later", row(ms=(3.0,)))], tmp_path / "data")
    conv = [(r.repeat, r.latency_ms, r.noisy) for r in rows if r.graph == graph]
    assert conv == [(0, 1.0, True), (1, 2.0, True), (2, 3.0, False)]
    assert sorted(read_measured(tmp_path / "data").latency_ms) == pytest.approx([1.0, 3.0])
    assert len(read_measured(tmp_path / "data", repeats=True)) == 5


def test_quick_rows_take_their_noise_from_repetitions(tmp_path: Path) -> None:
    texts = [f"gemm/rows={2 + i}" for i in range(20)]
    twice = [row(text, ms=(ms,)) for text in texts for ms in (1.0, 1.1)]
    rows = pack(
        [campaign(tmp_path / "log", *twice, row(CONV, target=TWO), row(CONV, ms=(1.0, 1.2)))], tmp_path / "data"
    )
    difference = 0.1 / 1.05
    assert np.allclose([r.noise_log for r in rows[:-2]], difference / 0.954, rtol=1e-3)
    assert rows[-2].noise_log == 0.02
    assert rows[-1].noise_log == pytest.approx(0.2 / 1.1 / 2)


def test_folders_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dataset pack"):
        read_measured(tmp_path)
    (tmp_path / ROWS_FILE).write_text("text")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_measured(tmp_path)
