"""The units of work of a benchmark run: one training, and all adaptations that are judged with it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from latcast.schema import InputError
from predictors.base import Predictor
from predictors.evaluation.nas.tasks import Task
from predictors.registry import predictor_class

__all__ = ["SOURCE_SAMPLES", "TRAININGS", "Contender", "Unit", "plan"]

SOURCE_SAMPLES = 900
"""Number of architectures of each source, unless the task or the caller prescribes another one."""

TRAININGS = {"help": 2, "maple": 2, "brp_nas": 2}
"""Number of trainings of predictors that take minutes; the seeds share them and vary the samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A predictor with its hyperparameters.

    Args:
        kind: kind of the predictor, as registered.
        hyperparameters: hyperparameters that differ from the defaults.
    """

    kind: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The contender in a text: `kind`, or `kind:name=value,name=value` with JSON values, texts unquoted.

        Raises:
            UnknownNameError: the kind is not registered.
            ImportError: a library that the kind needs is not installed.
            InputError: the constructor does not take one of the hyperparameters.
        """
        kind, _, rest = text.partition(":")
        pairs = [item.partition("=") for item in rest.split(",") if item]
        contender = cls(kind=kind, hyperparameters={name.strip(): _value(value) for name, _, value in pairs})
        contender.make(seed=0)
        return contender

    @property
    def label(self) -> str:
        """The text that `parse` reads."""
        pairs = ",".join(f"{name}={_plain(value)}" for name, value in self.hyperparameters.items())
        return f"{self.kind}:{pairs}" if pairs else self.kind

    def make(self, *, seed: int) -> Predictor:
        """An unfitted predictor.

        Raises:
            UnknownNameError, ImportError, InputError: see `parse`.
        """
        try:
            return predictor_class(self.kind)(seed=seed, **self.hyperparameters)
        except TypeError as error:
            raise InputError(f"The predictor {self.kind!r} cannot be made: {error}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One training, and everything that is judged with it.

    Args:
        task: source and target devices.
        contender: predictor that is judged.
        protocol: `full` or `help`.
        training: seed of the training.
        seeds: seeds of the choice of samples.
        samplers: names of the samplers.
        shots: numbers of measurements.
        samples: number of architectures of each source.
    """

    task: Task
    contender: Contender
    protocol: str
    training: int
    seeds: tuple[int, ...]
    samplers: tuple[str, ...]
    shots: tuple[int, ...]
    samples: int

    @property
    def key(self) -> str:
        """Key of the unit among stored results, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """Text for reports of progress."""
        return f"{self.task.name} {self.contender.label} training {self.training}"


def plan(
    tasks: Sequence[Task],
    contenders: Sequence[Contender],
    *,
    samplers: Sequence[str],
    shots: Sequence[int],
    seeds: int,
    protocol: str,
    source_samples: int | None,
    trainings: int | None = None,
) -> list[Unit]:
    """All units of a run: one for each task, predictor and training.

    Args:
        tasks: tasks to run.
        contenders: predictors to judge.
        samplers: names of the samplers.
        shots: numbers of measurements.
        seeds: number of seeds.
        protocol: `full` or `help`.
        source_samples: number of architectures of each source; by default the task's, or `SOURCE_SAMPLES`.
        trainings: number of trainings that the seeds share; by default that of `TRAININGS`, or one for each seed.
    """
    units = []
    for task in tasks:
        for contender in contenders:
            count = min(seeds, trainings or TRAININGS.get(contender.kind, seeds))
            units += [
                Unit(
                    task=task,
                    contender=contender,
                    protocol=protocol,
                    training=training,
                    seeds=tuple(range(training, seeds, count)),
                    samplers=tuple(samplers),
                    shots=tuple(shots),
                    samples=source_samples or task.source_samples or SOURCE_SAMPLES,
                )
                for training in range(count)
            ]
    return units


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
