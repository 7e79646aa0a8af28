"""Figures and datasheet follow from the rows."""

from dataclasses import replace

import pytest

from latcast.schema import Device, KernelTiming, Target
from predictors.data.measured import About, MeasuredRow, MeasuredTarget
from predictors.data.measured import statistics as figures
from predictors.data.measured.datasheet import datasheet

DEVICE = Device(
    fingerprint="f" * 32, name="host", machine="x86_64", processor="Sample 9000", physical_cores=2, logical_cores=2,
    memory_bytes=2**34, cache_bytes={"L2": 2**20}, features=("avx2",), details={"virtualisation": "kvm"},
)  # fmt: skip
ONE, TWO = (Target(device=DEVICE.fingerprint, backend="fake", threads=threads) for threads in (1, 2))
TARGETS = [
    MeasuredTarget(target=ONE, device=DEVICE, versions={"python": "3.11.7"}, microbench={"gemm_ms": 1.0}),
    MeasuredTarget(target=TWO, device=DEVICE, versions={"python": "3.11.7"}),
]


def row(number: int, *, target: Target = ONE, space: str = "zoo", **fields: object) -> MeasuredRow:
    plain = MeasuredRow(
        space=space,
        text=f"plain/depth={number}",
        graph=f"{number}",
        target=target.id,
        method="quick",
        latency_ms=float(number),
        p10_ms=0.9 * number,
        p90_ms=1.1 * number,
        iqr_ms=0.03 * number,
        samples=20,
        processes=1,
        process_spread=0.0,
        noise_log=0.01,
        time_unix_s=1.7e9 + number,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


ROWS = [
    row(1),
    row(1, repeat=1, latency_ms=1.1),
    row(2, method="careful", processes=2, process_spread=0.04, sentinel_drift=0.01),
    row(3, space="kernels", noisy=True),
    row(4, target=TWO, stale=True),
    row(
        5,
        target=TWO,
        latency_ms=None,
        iqr_ms=None,
        process_spread=None,
        failure_stage="timeout",
        failure_message="Slow.",
    ),
]


def test_counts_of_targets() -> None:
    first, second = figures.count_targets(ROWS)
    assert (first.networks_careful, first.networks_quick, first.kernels) == (1, 1, 1)
    assert (first.again, first.noisy, first.failed, first.stale) == (1, 1, 0, 0)
    assert (second.networks_quick, second.failed, second.stale) == (1, 1, 1)
    assert first.difference == pytest.approx(0.1 / 1.05)
    assert second.difference is None


def test_counts_of_families_are_of_graphs_and_kernels_come_last() -> None:
    assert figures.count_families(ROWS) == {
        "zoo/plain": {ONE.id: 2, TWO.id: 1},
        "kernels": {ONE.id: 1},
    }


def test_latency_bins_hold_every_row_with_a_latency() -> None:
    histogram = figures.latency_histogram([row(1), row(2), row(2), row(90)])
    assert list(histogram) == ["1 ms", "2.2 ms", "4.6 ms", "10 ms", "22 ms", "46 ms"]
    assert list(histogram.values()) == [3, 0, 0, 0, 0, 1]
    assert figures.latency_histogram([]) == {}


def test_dispersion_bins() -> None:
    histogram = figures.dispersion_histogram([row(1), row(2, iqr_ms=4.0), row(3, iqr_ms=0.0)])
    assert {name: count for name, count in histogram.items() if count} == {"0%–1%": 1, "2%–5%": 1, "100%–": 1}


def test_kernel_shares_are_means_over_networks() -> None:
    kernels = (
        KernelTiming(operator="Conv", share=0.75, time_ms=1.0),
        KernelTiming(operator="Relu", share=0.25, time_ms=1.0),
    )
    alone = (KernelTiming(operator="Conv", share=1.0, time_ms=1.0),)
    rows = [row(1, kernels=kernels), row(2, kernels=alone), row(3, space="kernels", kernels=alone), row(4)]
    assert figures.kernel_shares(rows) == pytest.approx({"Conv": 0.875, "Relu": 0.125})


def test_repeats_leave_noisy_rows_out() -> None:
    (found,) = figures.repeats([*ROWS, row(6), row(6, repeat=1, latency_ms=60.0, noisy=True)])
    assert (found.method, found.pairs) == ("quick", 1)
    assert found.p50 == pytest.approx(0.1 / 1.05)


def test_the_datasheet_says_what_the_rows_say() -> None:
    text = datasheet(ROWS, TARGETS, About(licence="CC-BY-4.0", notes=("The window was open.",)))
    for expected in (
        "6 measurements of 4 ONNX graphs on 2 targets of 1 machine",
        "| fake fp32 1 thread | 1 | 1 | 1 | 1 | 9.5% | 1 | 0 | yes |",
        "| fake fp32 2 threads | 0 | 1 | 0 | 0 | – | 0 | 1 | no |",
        "| zoo/plain | 3 | 2 |",
        "between 1 and 4 ms",
        "timeout (1)",
        "Sample 9000, x86_64, 2 cores, 16 GiB, L2 1,024 KiB",
        "python 3.11.7",
        "2023-11-14",
        "Careful rows (1)",
        "Quick rows (5)",
        "before and after 1 of the rows",
        "The window was open.",
        "1 pair: |a − b| / mean is 9.5%",
        "differ by 4.0% at the median",
        "1 row of 6",
        "any more: 1 are",
        "more than 2 threads",
        "virtual",
        "Licence: CC-BY-4.0",
    ):
        assert expected in text


def test_the_datasheet_follows_the_rows() -> None:
    text = datasheet([row(7)], TARGETS, About())
    assert "1 measurement" in text
    assert "on 1 target of 1 machine" in text
    assert "threads |" not in text
    assert "Licence: none was given" in text
    assert "Failures" not in text
