"""Where work that falls into many tasks is done: threads, processes of this machine, or a Ray cluster."""

from predictors.execution.executors import Executor, ProcessExecutor, ThreadExecutor
from predictors.execution.opening import open_executor

__all__ = ["Executor", "ProcessExecutor", "ThreadExecutor", "open_executor"]
