"""Rows of a measured data set, two targets and all kinds of flags among them."""

from dataclasses import replace

from latcast.schema import Device, Target
from predictors.data.measured import MeasuredRow, MeasuredTarget

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
