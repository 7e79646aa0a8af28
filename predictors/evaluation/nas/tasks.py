"""The tasks of the literature: source devices to learn from and target devices to forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from latcast.schema import InputError, UnknownNameError
from predictors.data.importers.help import LatencyTable

__all__ = ["DEFAULT_SOURCES", "DEFAULT_TARGETS", "SUITES", "Task", "check_task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Devices to learn from, and devices to adapt to.

    Args:
        name: name of the task, for example `ND`.
        space: search space of the table.
        sources: devices whose rows are in training.
        targets: devices of which a few measurements are in the support.
        validation: devices on whose rows training may choose its best state; disjoint from the others.
        source_samples: number of architectures of each source, where the task prescribes it.
        odd: number of synthetic devices `odd-0` and on that the table gets (`predictors.evaluation.nas.odd_devices`).
        noise_log: standard deviation of their log latency; their clock counts whole steps where there is noise.
    """

    name: str
    space: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    validation: tuple[str, ...] = ()
    source_samples: int | None = None
    odd: int = 0
    noise_log: float = 0.0


def _task(name: str, space: str, sources: str, targets: str) -> Task:
    return Task(name=name, space=space, sources=tuple(sources.split()), targets=tuple(targets.split()))


def _odd_task(name: str, space: str, sources: str, *, noise_log: float) -> Task:
    targets = " ".join(f"odd-{index}" for index in range(_ODD_DEVICES))
    return replace(_task(name, space, sources, targets), odd=_ODD_DEVICES, noise_log=noise_log)


_ODD_DEVICES, _ODD_NOISE = 12, 0.02
_PHONES_AND_CPUS = "silver_4114 silver_4210r samsung_a50 pixel3 essential_ph_1 samsung_s7"
_CELL_SOURCES = f"1080ti_1 1080ti_32 1080ti_256 {_PHONES_AND_CPUS}"
_CHAIN_SOURCES = f"1080ti_1 1080ti_32 1080ti_64 {_PHONES_AND_CPUS}"
_CELL_TARGETS = "titan_rtx_256 gold_6226 fpga pixel2 raspi4 eyeriss"
_CHAIN_TARGETS = "fpga raspi4 eyeriss"
_DESKTOP_GPUS = " ".join(
    f"{gpu}_{n}" for gpu in ("1080ti", "2080ti", "titan_rtx", "titanx", "titanxp") for n in (1, 32, 64)
)

SUITES: Mapping[str, tuple[Task, ...]] = {
    "nasflat": (
        _task("ND", "nasbench201", _CELL_SOURCES, _CELL_TARGETS),
        _task("FD", "fbnet", _CHAIN_SOURCES, _CHAIN_TARGETS),
        _task("F1", "fbnet", "2080ti_1 essential_ph_1 silver_4114 titan_rtx_1 titan_rtx_32",
              "eyeriss fpga raspi4 samsung_a50 samsung_s7"),
        _task("F2", "fbnet", "essential_ph_1 gold_6226 gold_6240 pixel3 raspi4",
              "1080ti_1 1080ti_32 2080ti_32 titan_rtx_1 titanxp_1"),
        _task("F3", "fbnet", "essential_ph_1 pixel2 pixel3 raspi4 samsung_s7",
              "1080ti_1 1080ti_32 2080ti_1 titan_rtx_1 titan_rtx_32"),
        _task("F4", "fbnet", "1080ti_64 2080ti_1 eyeriss gold_6226 gold_6240 raspi4 samsung_s7 silver_4210r "
              "titan_rtx_1 titan_rtx_32", "1080ti_1 pixel2 essential_ph_1"),
        _task("FA", "fbnet", _DESKTOP_GPUS, "gold_6226 essential_ph_1 samsung_s7 pixel2"),
    ),
    "help": (
        replace(_task("nasbench201", "nasbench201", _CELL_SOURCES, _CELL_TARGETS),
                validation=("titanx_1", "titanx_32", "titanx_256", "gold_6240")),
        replace(_task("fbnet", "fbnet", _CHAIN_SOURCES, _CHAIN_TARGETS),
                validation=("titanx_1", "titanx_32", "titanx_64", "gold_6240"), source_samples=4000),
    ),
    "odd": (
        _odd_task("cells", "nasbench201", _CELL_SOURCES, noise_log=0.0),
        _odd_task("cells-noisy", "nasbench201", _CELL_SOURCES, noise_log=_ODD_NOISE),
        _odd_task("chains", "fbnet", _CHAIN_SOURCES, noise_log=0.0),
        _odd_task("chains-noisy", "fbnet", _CHAIN_SOURCES, noise_log=_ODD_NOISE),
    ),
}  # fmt: skip
"""`nasflat`: the seven partitions of NASFLAT (Akhauri and Abdelfattah, AutoML 2024, https://arxiv.org/abs/2403.02446);
`help`: the two tables of HELP, which trains on 900 architectures of NAS-Bench-201 and 4,000 of FBNet;
`odd`: ND's and FD's sources, and synthetic devices that are like none of them."""

DEFAULT_SOURCES: Mapping[str, tuple[str, ...]] = {task.space: task.sources for task in SUITES["help"]}
DEFAULT_TARGETS: Mapping[str, tuple[str, ...]] = {task.space: task.targets for task in SUITES["help"]}


def check_task(task: Task, table: LatencyTable) -> None:
    """Check that the table has the task's devices and that no target is in training.

    Raises:
        UnknownNameError: the table lacks one of the devices.
        InputError: a target is among the sources or validation devices, or the task has no source or no target.
    """
    for device in (*task.sources, *task.targets, *task.validation):
        if device not in table.latency_ms:
            raise UnknownNameError(f"device of the {table.space} table", device, sorted(table.latency_ms))
    if not task.sources or not task.targets:
        raise InputError(f"The task {task.name} needs a source and a target at least.")
    leaked = _overlap(task.targets, (*task.sources, *task.validation))
    if leaked:
        raise InputError(f"The task {task.name} trains on its target {leaked[0]}: leave it out of the sources.")


def _overlap(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return sorted(set(first) & set(second))
