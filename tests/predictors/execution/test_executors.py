"""Executors: every task once, however it is done, and no more of them ahead than there is room for."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from latcast.schema import InputError, LatcastError
from predictors.execution import Executor, ProcessExecutor, ThreadExecutor
from predictors.execution.executors import AHEAD
from tests.predictors.execution.tasks import added, died, refused, refused_beside_one_that_never_ends

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("executor", [ThreadExecutor(), ThreadExecutor(3), ProcessExecutor(2)])
def test_every_task_is_done_once(executor: Executor) -> None:
    sums = [total for total, _ in executor.completed(added, 100, range(25))]
    assert sorted(sums) == list(range(100, 125))


def test_processes_do_it_elsewhere_with_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    executor = ProcessExecutor(2)
    assert os.getpid() not in {process for _, process in executor.completed(added, 0, range(4))}
    assert list(executor.completed(threads_of, None, [0])) == ["1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def threads_of(shared: None, task: int) -> str:
    del shared, task
    return os.environ["OMP_NUM_THREADS"]


@pytest.mark.parametrize("executor", [ThreadExecutor(2), ProcessExecutor(2)])
def test_tasks_are_taken_as_there_is_room(executor: Executor) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = executor.completed(added, 0, endless())
    for _ in range(10):
        next(results)
    assert taken <= 10 + 2 * AHEAD * executor.slots
    results.close()


@pytest.mark.parametrize("executor", [ThreadExecutor(), ThreadExecutor(2), ProcessExecutor(2)])
def test_what_the_function_raises_is_raised(executor: Executor) -> None:
    with pytest.raises(InputError, match="1 and 2 do not fit"):
        list(executor.completed(refused, 1, [2]))


def own_id(shared: None, task: int) -> int:
    del shared, task
    return os.getpid()


def test_processes_end_with_a_parent_that_was_killed() -> None:
    code = """
import os
from predictors.execution import ProcessExecutor
from tests.predictors.execution.test_executors import own_id
if __name__ == "__main__":
    results = ProcessExecutor(1).completed(own_id, None, iter(range(10**9)))
    print(next(results), flush=True)
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, timeout=120)
    assert done.returncode == -9
    until = time.monotonic() + 60
    while not has_ended(int(done.stdout)):
        assert time.monotonic() < until, "it still runs"
        time.sleep(0.05)


def has_ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_process_that_dies_is_a_sentence() -> None:
    with pytest.raises(LatcastError, match="fewer of them"):
        list(ProcessExecutor(2).completed(died, 0, range(3)))


def test_nobody_waits_for_the_others_when_a_task_fails(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match="second does not fit"):
        list(ProcessExecutor(2).completed(refused_beside_one_that_never_ends, str(tmp_path), [0, 1]))
    assert time.monotonic() - started < 60
    (sleeping,) = (int(each.name) for each in tmp_path.iterdir())
    until = time.monotonic() + 10
    while not has_ended(sleeping):
        assert time.monotonic() < until, "it still sleeps"
        time.sleep(0.02)
