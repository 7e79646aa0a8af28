"""Which executor settings ask for; `test_ray_cluster.py` opens clusters."""

import os

from predictors.execution import ProcessExecutor, ThreadExecutor, open_executor
from predictors.execution.executors import cores


def test_one_worker_is_this_process() -> None:
    with open_executor(workers=1) as executor:
        assert isinstance(executor, ThreadExecutor)
    with open_executor(workers=3) as executor:
        assert isinstance(executor, ProcessExecutor)
        assert executor.slots == 3


def test_as_many_processes_as_there_are_cores() -> None:
    assert cores() <= (os.cpu_count() or 1)
    with open_executor() as executor:
        assert executor.slots == cores()
