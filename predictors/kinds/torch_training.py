"""The one training loop of all torch predictors, and what they share around it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from latcast.schema import ArtifactError, InputError
from predictors.base import Progress

__all__ = ["Training", "load_parameters", "minibatches", "seeded", "stored_parameters", "train"]

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How to train.

    Args:
        epochs: at most this many.
        learning_rate: at the start.
        weight_decay: decoupled (AdamW); with 0 this is Adam.
        schedule: `constant`; `plateau` halves the rate when the score has not improved for `patience` epochs;
            `cosine` lets it fall to zero over all epochs.
        patience: see `schedule`.
        stop_after: stop when the score has not improved for this many epochs; 0 never stops early.
        keep_best: end with the parameters of the best score rather than the last ones.
    """

    epochs: int
    learning_rate: float
    weight_decay: float = 0.0
    schedule: str = "constant"
    patience: int = 10
    stop_after: int = 0
    keep_best: bool = True


def train(
    module: nn.Module,
    batches: Callable[[], Iterable[Batch]],
    loss: Callable[[Batch], Tensor],
    training: Training,
    *,
    score: Callable[[], float] | None = None,
    progress: Progress | None = None,
) -> float:
    """Minimise `loss` over the module's trainable parameters, in place.

    Args:
        module: is left in evaluation mode.
        batches: gives one epoch.
        loss: of one batch, a scalar.
        training: see there.
        score: of the module as it is, lower is better; called in evaluation mode after each epoch. The epoch's mean
            loss where left out.
        progress: called after each epoch.

    Returns:
        The score of the parameters that the module ends with.

    Raises:
        InputError: the loss is not a number, for example because the latencies span too wide a range.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trainable, lr=training.learning_rate, weight_decay=training.weight_decay)
    scheduler = _Scheduler(optimiser, training)
    best, best_epoch, kept = math.inf, 0, _copy(module)
    value = math.inf
    for epoch in range(1, training.epochs + 1):
        mean_loss = _epoch(module, batches(), loss, optimiser)
        value = score() if score else mean_loss
        scheduler.step(value)
        if value < best:
            best, best_epoch = value, epoch
            kept = _copy(module) if training.keep_best else kept
        if progress:
            progress(epoch / training.epochs, f"epoch {epoch} of {training.epochs}: {value:.4g}, best {best:.4g}")
        if training.stop_after and epoch - best_epoch >= training.stop_after:
            break
    if training.keep_best:
        module.load_state_dict(kept)
        value = best
    return value


def _epoch(
    module: nn.Module, batches: Iterable[Batch], loss: Callable[[Batch], Tensor], optimiser: torch.optim.Optimizer
) -> float:
    module.train()
    losses = []
    for batch in batches:
        optimiser.zero_grad(set_to_none=True)
        value = loss(batch)
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(value.detach()))
    module.eval()
    if not losses or not math.isfinite(mean := sum(losses) / len(losses)):
        raise InputError(
            "Training does not converge: the loss is not a number. Check the latencies, or lower the rate."
        )
    return mean


class _Scheduler:
    """The learning rate over the epochs."""

    def __init__(self, optimiser: torch.optim.Optimizer, training: Training) -> None:
        schedulers = torch.optim.lr_scheduler
        self._plateau = self._fixed = None
        match training.schedule:
            case "plateau":
                self._plateau = schedulers.ReduceLROnPlateau(optimiser, factor=0.5, patience=training.patience)
            case "cosine":
                self._fixed = schedulers.CosineAnnealingLR(optimiser, T_max=training.epochs)
            case "constant":
                pass
            case other:
                raise InputError(f"Unknown schedule {other!r}; known are constant, cosine and plateau.")

    def step(self, value: float) -> None:
        if self._plateau is not None:
            self._plateau.step(value)
        if self._fixed is not None:
            self._fixed.step()


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def minibatches(rows: int, size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Row indices of one epoch, shuffled, in batches of `size` (the last may be smaller)."""
    order = torch.from_numpy(rng.permutation(rows))
    for start in range(0, rows, size):
        yield order[start : start + size]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch's global generator (initial weights, dropout) starts from `seed`; outside it is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def stored_parameters(module: nn.Module, prefix: str = "") -> dict[str, "np.ndarray[Any, Any]"]:
    """A module's parameters for an artifact."""
    return {f"{prefix}{name}": value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def load_parameters(module: nn.Module, arrays: Mapping[str, "np.ndarray[Any, Any]"], prefix: str = "") -> None:
    """Set a module's parameters from an artifact's arrays.

    Raises:
        ArtifactError: one is missing, or of another shape.
    """
    state = {}
    for name, value in module.state_dict().items():
        stored = arrays.get(f"{prefix}{name}")
        if stored is None or stored.shape != tuple(value.shape):
            raise ArtifactError(f"The artifact lacks the parameter {prefix}{name} of shape {tuple(value.shape)}; "
                                "train it again.")  # fmt: skip
        state[name] = torch.from_numpy(np.array(stored)).to(value.dtype)
    module.load_state_dict(state)
