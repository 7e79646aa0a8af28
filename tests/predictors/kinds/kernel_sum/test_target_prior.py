"""What targets have in common by how they execute graphs."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from predictors.artifact import Artifact
from predictors.features.kernels import ExecutionTraits
from predictors.kinds.kernel_sum.target_prior import TargetPrior, similarity
from latcast.schema import ArtifactError, Target

TRAITS = [ExecutionTraits(*one) for one in product("abc", ("fp32", "int8"), ("all", "basic"), (False, True))]


def target(backend: str, precision: str = "fp32", threads: int = 1) -> Target:
    return Target(device="one", backend=backend, precision=precision, threads=threads)


KNOWN = [target("a"), target("a", "int8"), target("b"), target("b", "bf16"), target("b", threads=2)]


def means() -> dict[str, np.ndarray]:
    """What is particular to a runtime, to a precision and to several threads, one number each."""
    return {
        one.id: np.array([one.backend == "b", one.precision != "fp32", one.threads > 1], dtype=float) for one in KNOWN
    }


def test_similarity_is_a_covariance() -> None:
    matrix = np.array([[similarity(one, other) for other in TRAITS] for one in TRAITS])
    assert_allclose(matrix, matrix.T)
    assert_allclose(np.diag(matrix), 1.0)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
    assert np.sort(matrix, axis=1)[:, -2].max() < 1


def test_a_new_target_is_expected_between_those_it_shares_most_with() -> None:
    prior = TargetPrior.of(KNOWN)
    runtime, _, several = prior.expected(target("a", threads=2), means())
    assert runtime < 0.4
    assert several > prior.expected(target("a"), means())[2] + 0.2
    assert prior.expected(target("c", "fp32"), means())[1] < prior.expected(target("c", "int8"), means())[1]


def test_what_nothing_is_known_of_is_expected_at_the_mean() -> None:
    prior = TargetPrior.of([target("a"), target("b")])
    assert_allclose(prior.expected(target("c", "int8", 2), {one.id: np.array([2.0]) for one in KNOWN}), [2.0])


def test_a_target_that_runs_like_a_known_one_is_expected_like_it_on_any_machine() -> None:
    prior = TargetPrior.of([*KNOWN, *KNOWN])
    for one in KNOWN:
        for twin in (
            replace(one, device="new"),
            replace(one, device="new", threads=one.threads * 2 - (one.threads == 1)),
        ):
            assert_allclose(prior.expected(twin, means()), means()[one.id], atol=0.25)
    given = replace(KNOWN[0], precision="as_given")
    assert_allclose(prior.expected(given, means()), prior.expected(KNOWN[0], means()))


def test_a_way_of_executing_is_known_on_any_machine() -> None:
    prior = TargetPrior.of(KNOWN)
    assert all(prior.knows(replace(one, device="new", precision=one.precision)) for one in KNOWN)
    assert prior.knows(replace(KNOWN[-1], threads=4))
    assert not prior.knows(target("a", threads=2))
    assert not prior.knows(target("c"))


def test_artifacts_keep_traits_and_corrupt_ones_are_refused() -> None:
    prior = TargetPrior.of(KNOWN)
    artifact = Artifact(kind="kernel_sum", hyperparameters={}, arrays={}, vocabulary={"manners": prior.to_vocabulary()})
    assert TargetPrior.from_artifact(artifact, prior.names) == prior
    with pytest.raises(ArtifactError, match="corrupt"):
        TargetPrior.from_artifact(artifact, prior.names[1:])
    for words in ([["a"]] * len(KNOWN), [None] * len(KNOWN), "manners"):
        with pytest.raises(ArtifactError, match="corrupt"):
            TargetPrior.from_artifact(
                Artifact(kind="kernel_sum", hyperparameters={}, arrays={}, vocabulary={"manners": words}), prior.names
            )
