"""The fits of a training: the same wherever they are done, kept as they get done, and told of one by one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.base import LatencyDataset
from predictors.evaluation.cross_validation import Plan, Trained, train
from predictors.execution import Executor, ProcessExecutor, ThreadExecutor, open_executor
from predictors.inference.blas_threads import on_one_thread
from predictors.testing.workload import default_workload
from tests.predictors.evaluation.kept import Kept, KeptInFolder
from tests.predictors.execution.test_ray_cluster import with_ray

ROOT = Path(__file__).parents[3]
SMALL: dict[str, dict[str, Any]] = {
    "flops": {},
    "boosted_trees": {"trees": 10},
    "kernel_sum": {"trees": 10},
    "gcn": {"epochs": 2, "width": 8, "layers": 1, "folds": 2},
}


def rows() -> LatencyDataset:
    whole = default_workload(120, 60, 15).train
    return whole.subset([row for rows in whole.targets().values() for row in rows[:40]])


@pytest.fixture(scope="module")
def data() -> LatencyDataset:
    return rows()


def plan(kind: str = "flops", **options: Any) -> Plan:
    return Plan(kind=kind, seed=1, folds=2, target_folds=3, hyperparameters=SMALL[kind], **options)


one_by_one = on_one_thread(train)
"""As other processes do it, which have one thread for linear algebra each."""


def same(first: Trained, second: Trained) -> None:
    for ours, theirs in ((first.networks, second.networks), (first.targets, second.targets)):
        assert ours is not None
        assert theirs is not None
        np.testing.assert_array_equal(ours.median_ms, theirs.median_ms, strict=True)
        np.testing.assert_array_equal(ours.log_std, theirs.log_std, strict=True)
        np.testing.assert_array_equal(ours.fold, theirs.fold)
    made, again = first.predictor.to_artifact(), second.predictor.to_artifact()
    assert made.arrays.keys() == again.arrays.keys()
    for name, array in made.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name], strict=True)
    assert made.vocabulary == again.vocabulary
    assert {**made.metrics, "fit_s": 0} == {**again.metrics, "fit_s": 0}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    with open_executor(workers=2, ray_address="local") as executor:
        yield executor


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("executor", [ThreadExecutor(2), ProcessExecutor(2)], ids=["threads", "processes"])
def test_every_executor_comes_to_the_same(data: LatencyDataset, executor: Executor, kind: str) -> None:
    if kind == "gcn":
        pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")
    if isinstance(executor, ThreadExecutor) and kind == "gcn":
        pytest.skip("torch has one generator for all threads")
    same(one_by_one(plan(kind), data), on_one_thread(train)(plan(kind), data, executor=executor))


@with_ray
@pytest.mark.parametrize("kind", SMALL)
def test_a_cluster_comes_to_the_same(data: LatencyDataset, cluster: Executor, kind: str) -> None:
    if kind == "gcn":
        pytest.importorskip("torch_geometric", reason="the extra [torch] is not installed")
    same(one_by_one(plan(kind), data), train(plan(kind), data, executor=cluster))


def test_each_fit_is_told_of_as_it_gets_done(data: LatencyDataset) -> None:
    said: list[tuple[float, str]] = []
    train(plan(), data, executor=ProcessExecutor(2), progress=lambda *each: said.append(each))
    assert said[0] == (0.0, "6 fits, 2 at a time")
    shares = [share for share, _ in said]
    assert shares == pytest.approx([number / 6 for number in range(7)])
    folds = [f"fold {number} of 2 by networks: done" for number in (1, 2)]
    folds += [f"fold {number} of 3 by targets: done" for number in (1, 2, 3)]
    assert sorted(what for _, what in said[1:]) == sorted([*folds, "fitting on all rows: done"])


def test_what_is_done_is_not_done_again_by_whoever_goes_on(data: LatencyDataset) -> None:
    kept = Kept()
    whole = train(plan(), data, checkpoints=kept)
    assert sorted(kept) == ["fitted", "networks-0", "networks-1", "targets-0", "targets-1", "targets-2"]
    del kept["networks-1"], kept["targets-0"]
    said: list[str] = []
    again = train(
        plan(), data, checkpoints=kept, executor=ProcessExecutor(2), progress=lambda _share, what: said.append(what)
    )
    assert said[0] == "2 fits, 2 at a time"
    assert sorted(said[1:]) == ["fold 1 of 3 by targets: done", "fold 2 of 2 by networks: done"]
    same(whole, again)
    assert again.predictor.provenance_.metrics["fit_s"] == whole.predictor.provenance_.metrics["fit_s"]


def killed_after_two(folder: str) -> None:
    """A training that is killed as soon as two fits are kept."""

    class Deadly(KeptInFolder):
        def save(self, name: str, content: bytes) -> None:
            super().save(name, content)
            if len(list(Path(folder).iterdir())) == 2:
                os.kill(os.getpid(), 9)

    train(plan(), rows(), checkpoints=Deadly(Path(folder)), executor=ProcessExecutor(2))


def test_a_training_that_was_killed_goes_on_from_what_was_kept(data: LatencyDataset, tmp_path: Path) -> None:
    code = f"""
from tests.predictors.evaluation.test_fits import killed_after_two
if __name__ == "__main__":
    killed_after_two({str(tmp_path)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=300, check=False)
    assert done.returncode == -9
    kept = {each.name: each.stat().st_mtime_ns for each in tmp_path.iterdir()}
    assert len(kept) == 2
    said: list[str] = []
    again = train(
        plan(), data, checkpoints=KeptInFolder(tmp_path), executor=ProcessExecutor(2),
        progress=lambda _share, what: said.append(what),
    )  # fmt: skip
    assert said[0] == "4 fits, 2 at a time"
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in kept} == kept
    same(one_by_one(plan(), data), again)


def test_a_fit_that_cannot_be_done_ends_the_training(data: LatencyDataset) -> None:
    kept = Kept()
    with pytest.raises(InputError):
        train(Plan(kind="lookup_table", folds=2), data, executor=ProcessExecutor(2), checkpoints=kept)
    assert not kept
