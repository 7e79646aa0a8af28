"""The data set out of the files: usable rows, pooled or not, with graphs that are built and checked on first use."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

from latcast.schema import Failure, InputError, KernelTiming
from predictors.data.measured import pack, read_measured, read_rows, read_targets, to_dataset
from profilers.campaign import Check
from profilers.search_spaces import get_space
from tests.predictors.data.measured.campaigns import GEMM, ONE, TWO, architecture, campaign, row
from tests.predictors.data.measured.rows import ONE as COUNTED
from tests.predictors.data.measured.rows import TARGETS
from tests.predictors.data.measured.rows import TWO as PLAIN
from tests.predictors.data.measured.rows import row as made

GEMM_BYTES = get_space("kernels").to_onnx(architecture(GEMM))


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


def test_counters_of_hardware_are_evidence_of_a_target() -> None:
    kernels = (KernelTiming(operator="Conv", share=1.0, time_ms=1.0),)
    counted = [
        made(number, counters={"cpu-cycles": 2e6 * number, "page-faults": 3.0}, kernels=kernels) for number in (1, 2)
    ]
    data = to_dataset([*counted, made(3, target=PLAIN)], TARGETS)
    rates = data.evidence[COUNTED.id].counters
    assert rates == pytest.approx({"cpu-cycles": 2e6, "cpu-cycles@Conv": 2e6})
    assert data.evidence[COUNTED.id].microbench == {"gemm_ms": 1.0}
    assert PLAIN.id not in data.evidence


def test_failed_and_stale_rows_are_left_out(tmp_path: Path) -> None:
    failed = replace(row().measurement, runs=(), failure=Failure(stage="timeout", message="Too slow."))
    stale = row("gemm/rows=2", graph="0" * 64)
    pack([campaign(tmp_path / "log", replace(row(), measurement=failed), stale, row(GEMM))], tmp_path / "data")
    data = read_measured(tmp_path / "data")
    assert [query.architecture for query in data.queries] == [architecture(GEMM)]


def test_a_generator_that_changed_since_packing_is_noticed(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row())], tmp_path / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("profilers.search_spaces.kernels.Kernels.to_onnx", lambda self, _: GEMM_BYTES)
        with pytest.raises(InputError, match="another graph"):
            read_measured(tmp_path / "data").queries[0].graph  # noqa: B018


def test_steady_measurements_of_a_graph_on_a_target_are_one_row(tmp_path: Path) -> None:
    graph = row().measurement.graph
    drifted = Check(target=ONE.id, before_ms=1.0, after_ms=2.0, graphs=(graph,))
    log = campaign(tmp_path / "log", row(ms=(1.0,)), row(ms=(2.0,)), drifted, row(GEMM), row(GEMM, ms=(2.0, 2.0)))
    pack([log, campaign(tmp_path / "later", row(ms=(3.0,)))], tmp_path / "data")
    assert sorted(read_measured(tmp_path / "data").latency_ms) == pytest.approx([1.0, 3.0])
    assert len(read_measured(tmp_path / "data", repeats=True)) == 5


def test_spaces_choose_rows(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row())], tmp_path / "data")
    assert len(read_measured(tmp_path / "data", spaces=["kernels"])) == 1
    assert len(read_measured(tmp_path / "data", spaces=["zoo"])) == 0


def test_rows_of_a_target_that_is_not_described_are_refused(tmp_path: Path) -> None:
    pack([campaign(tmp_path / "log", row())], tmp_path / "data")
    others = [target for target in read_targets(tmp_path / "data") if target.target != ONE]
    with pytest.raises(InputError, match=ONE.id):
        to_dataset(read_rows(tmp_path / "data"), others)
