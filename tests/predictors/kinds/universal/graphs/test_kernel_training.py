"""Networks learn from kernels' labels and from graphs' latencies together."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("torch")

from predictors.base import FloatArray
from predictors.features.kernels import CLASSES
from predictors.kinds.universal.graphs.kernel_network import KernelInputs
from predictors.kinds.universal.graphs.kernel_training import KernelTrainingSet, train_network

GRAPHS, EACH = 120, 4


def training_set(*, labelled: bool = True) -> tuple[KernelTrainingSet, FloatArray]:
    """Kernels whose log time over the roofline is half their first number."""
    rng = np.random.default_rng(0)
    count = GRAPHS * EACH
    numbers = rng.uniform(-1, 1, (count, 3)).astype(np.float32)
    truth = 0.5 * numbers[:, 0].astype(np.float64)
    rows = np.repeat(np.arange(GRAPHS), EACH)
    inputs = KernelInputs(
        numbers=numbers,
        classes=np.full(count, CLASSES.index("conv")),
        operators=np.zeros(count, dtype=np.int64),
        traits=np.zeros((GRAPHS, 1), dtype=np.float32),
        rows=rows,
    )
    base = rng.normal(0, 0.5, count)
    latency = np.bincount(rows, weights=np.exp(base + truth))
    return KernelTrainingSet(
        inputs=inputs,
        labels=truth if labelled else np.full(count, np.nan),
        weights=np.ones(count),
        base=base,
        log_latency=np.log(latency),
        rows=rows,
        targets=np.zeros(GRAPHS, dtype=np.int64),
        tilts=np.zeros((count, 1)),
    ), truth


@pytest.mark.parametrize(("labelled", "share"), [(True, 0.35), (False, 0.75)])
def test_what_sizes_do_is_learned_with_and_without_labels(labelled: bool, share: float) -> None:
    training, truth = training_set(labelled=labelled)
    network = train_network(training, np.arange(100), width=16, epochs=150, operators=1, seed=0)
    held_out = training.rows >= 100
    error = np.abs(network.predict(training.inputs) - truth)[held_out]
    assert np.median(error) < share * np.median(np.abs(truth[held_out]))


def test_the_same_seed_gives_the_same_network() -> None:
    training, _ = training_set()
    one, other = (train_network(training, np.arange(GRAPHS), width=8, epochs=2, operators=1, seed=5) for _ in range(2))
    assert_array_equal(one.predict(training.inputs), other.predict(training.inputs))


def test_progress_is_reported_after_each_epoch() -> None:
    training, shares = training_set()[0], list[float]()
    train_network(
        training,
        np.arange(20),
        width=8,
        epochs=3,
        operators=1,
        seed=0,
        progress=lambda share, what: shares.append(share),
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
