"""What is trained, and how it is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latcast.schema import InputError, UnknownNameError
from predictors.base import Predictor
from predictors.registry import predictor_class

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained, and how it is judged.

    Args:
        kind: kind of the predictor, as registered in `latcast.predictors`.
        hyperparameters: arguments of the predictor's constructor without the seed.
        seed: seed of the predictor, of the folds and of the samples of held-out targets.
        folds: parts of the networks, each held out once; fewer than two leave that out.
        target_folds: parts of the targets, each held out once; fewer than two, or than three targets, leave that out.
        groups: group of each row, which is never split between folds; by default the key of its network.
        families: family of the network of each row, for figures by family; none where left out.
    """

    kind: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    folds: int = 5
    target_folds: int = 0
    groups: Sequence[str] | None = None
    families: Sequence[str] | None = None

    def construct(self) -> Predictor:
        """The predictor, unfitted.

        Raises:
            UnknownNameError: the kind is not registered.
            ImportError: a library that the kind needs is not installed.
            InputError: the kind lacks one of the hyperparameters.
        """
        cls = predictor_class(self.kind)
        try:
            return cls(seed=self.seed, **self.hyperparameters)
        except TypeError as error:
            accepted = set(cls(seed=self.seed).hyperparameters()) - {"seed"}
            unknown = sorted(set(self.hyperparameters) - accepted)
            if unknown:
                raise UnknownNameError(f"hyperparameter of {self.kind}", unknown[0], sorted(accepted)) from error
            raise InputError(f"These hyperparameters do not suit {self.kind!r}: {error}.") from error
