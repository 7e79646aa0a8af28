"""What a benchmark run consists of: units of work, each one training and everything that is judged with it."""

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

TRAININGS = {"help": 2, "maple": 2, "brp_nas": 2}
"""How often predictors are trained that take minutes; the seeds share these and vary the samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A predictor with its hyperparameters.

    Args:
        kind: as registered.
        hyperparameters: that differ from the defaults.
    """

    kind: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """`kind`, or `kind:name=value,name=value` with JSON values, texts unquoted.

        Raises:
            UnknownNameError: nobody registered the kind.
            InputError: a hyperparameter that the constructor does not take.
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
        """An unfitted predictor."""
        try:
            return predictor_class(self.kind)(seed=seed, **self.hyperparameters)
        except TypeError as error:
            raise InputError(f"The predictor {self.kind!r} cannot be made: {error}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One training, and everything that is judged with it.

    Args:
        task: devices.
        contender: predictor.
        protocol: `full` or `help`.
        training: seed of the training.
        seeds: of the samples.
        samplers: names.
        shots: numbers of measurements.
        samples: architectures of each source.
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
        """Identifies the unit among stored results."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def label(self) -> str:
        """For progress."""
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
    """All units: one for each task, predictor and training.

    Args:
        tasks: devices.
        contenders: predictors.
        samplers: names.
        shots: numbers of measurements.
        seeds: how many.
        protocol: `full` or `help`.
        source_samples: architectures of each source; what the task says where left out, or 900.
        trainings: that the seeds share; one for each seed where left out, unless `TRAININGS` says fewer.
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
