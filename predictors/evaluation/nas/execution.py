"""Running a benchmark: one process for each core, or a Ray cluster."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from predictors.base import Predictor, Progress
from predictors.data.importers.help import LatencyTable, read_table, target_of
from predictors.evaluation.journal import Journal
from predictors.evaluation.nas.odd_devices import draw_devices, with_odd_devices
from predictors.evaluation.nas.protocol import Choice, needs_references, split_target, training_rows, validation_rows
from predictors.evaluation.nas.scoring import score, summarise
from predictors.evaluation.nas.tasks import Task, check_task
from predictors.evaluation.nas.units import Unit
from predictors.execution import open_executor

__all__ = ["assemble", "run", "run_unit"]

GRAPH_ARCHITECTURES = 2000
"""Number of architectures that predictors of graphs are judged on, since each graph has to be built."""


def run(
    units: Sequence[Unit],
    data: Path,
    journal: Journal,
    *,
    workers: int | None = None,
    ray_address: str = "",
    progress: Progress | None = None,
) -> None:
    """Run the units that the journal lacks.

    Args:
        units: all units of the run.
        data: folder of the tables; on a Ray cluster every node has it.
        journal: receives the rows of each unit under its key.
        workers: number of processes, see `predictors.execution.open_executor`.
        ray_address: of a Ray cluster that does it instead, the same.
        progress: called after each unit.

    Raises:
        LatcastError: a task does not fit its table, or a unit failed; finished units are in the journal.
    """
    for task in {unit.task for unit in units}:
        check_task(task, _table(data, task))
    left = [unit for unit in units if unit.key not in journal]
    finished = len(units) - len(left)
    with (
        open_executor(workers=workers, ray_address=ray_address) as executor,
        closing(executor.completed(_unit_with_rows, data, left)) as completed,
    ):
        for unit, rows in completed:
            journal.put(unit.key, rows)
            finished += 1
            if progress:
                progress(finished / len(units), unit.label)


def assemble(units: Sequence[Unit], journal: Journal, *, suite: bool) -> Any:
    """The JSON that `latcast bench nas --json` writes: one document, or a list of them for several combinations.

    Args:
        units: all units of the run.
        journal: journal that holds the rows of all units.
        suite: whether a document has `tasks`.
    """
    combinations: dict[tuple[str, str, int], dict[str, list[dict[str, Any]]]] = {}
    for unit in units:
        for row in journal.get(unit.key):
            key = (unit.contender.label, row["sampler"], row["shots"])
            combinations.setdefault(key, {}).setdefault(unit.task.name, []).append(row)
    documents = []
    for (predictor, sampler, shots), tasks in combinations.items():
        head = {"predictor": predictor, "sampler": sampler, "shots": shots}
        parts = {name: head | summarise(rows) for name, rows in tasks.items()}
        documents.append(head | {"tasks": parts} if suite else next(iter(parts.values())))
    return documents[0] if len(documents) == 1 else documents


def _unit_with_rows(data: Path, unit: Unit) -> tuple[Unit, list[dict[str, Any]]]:
    return unit, run_unit(unit, data)


def run_unit(unit: Unit, data: Path) -> list[dict[str, Any]]:
    """The figures of one unit: train once, then adapt to every target with every seed, sampler and number of shots."""
    predictor = unit.contender.make(seed=unit.training)
    table = _judged(_table(data, unit.task), predictor, unit)
    sources = training_rows(
        table,
        unit.task.sources,
        protocol=unit.protocol,
        samples=unit.samples,
        seed=unit.training,
        references=needs_references(predictor),
    )
    held_out = validation_rows(table, unit.task.validation, samples=unit.samples) if unit.protocol == "help" else None
    predictor.fit(sources, validation=held_out)
    return [
        _judge(unit, predictor, table, Choice(device=device, seed=seed, sampler=sampler, shots=shots))
        for seed in unit.seeds
        for sampler in unit.samplers
        for shots in unit.shots
        for device in unit.task.targets
    ]


def _judge(unit: Unit, predictor: Predictor, table: LatencyTable, choice: Choice) -> dict[str, Any]:
    split = split_target(table, predictor, choice, protocol=unit.protocol, samples=unit.samples)
    return asdict(choice) | score(predictor, target_of(table.space, choice.device), split)


def _judged(table: LatencyTable, predictor: Predictor, unit: Unit) -> LatencyTable:
    """The part of the table that the predictor is judged on: all of it, unless the predictor reads graphs alone."""
    if "architecture" in predictor.capabilities.inputs or unit.protocol == "help":
        return table
    count = min(GRAPH_ARCHITECTURES, len(table))
    return table.subset(np.sort(np.random.default_rng(0).choice(len(table), size=count, replace=False)))


def _table(data: Path, task: Task) -> LatencyTable:
    return _table_with(data, task.space, task.odd, task.noise_log)


@lru_cache(6)
def _table_with(data: Path, space: str, odd: int, noise_log: float) -> LatencyTable:
    """The table of a space, with so many synthetic devices."""
    if not odd:
        return read_table(data, space)
    devices = draw_devices(space, odd, seed=0, rounded=noise_log > 0, noise_log=noise_log)
    return with_odd_devices(_table_with(data, space, 0, 0.0), devices, seed=0)
