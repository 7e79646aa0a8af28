"""Small campaigns of single kernels, as logs on disk."""

from collections.abc import Sequence
from pathlib import Path

from latcast.schema import (
    Architecture,
    CounterReading,
    Device,
    KernelTiming,
    Measurement,
    Microbench,
    ProcessRun,
    ProfileSettings,
    Target,
)
from profilers.campaign import CampaignLog, Entry, Note, Row
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
    parsed = architecture(text)
    return Row(
        architecture=parsed,
        measurement=Measurement(
            graph=graph or load_graph(get_space("kernels").to_onnx(parsed)).hash,
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


def campaign(folder: Path, *entries: Entry, targets: Sequence[Target] = (ONE, TWO), device: Device = DEVICE) -> Path:
    with CampaignLog(folder) as log:
        for target in targets:
            log.append(
                Note(
                    target=target,
                    device=device,
                    versions={"python": "3.11"},
                    microbench=Microbench(target=target, values={"gemm_ms": 0.5}),
                )
            )
        for entry in entries:
            log.append(entry)
    return folder
