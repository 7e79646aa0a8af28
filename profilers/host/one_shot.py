"""Child processes that answer one request and end.

The parent writes `<name>.request.json` into a private folder: limits, and a record that says what to do. It starts
`python -P -m MODULE FOLDER <name>`. The child limits itself, does what the request says, writes `<name>.answer.json`,
whole or not at all, and ends. What its runtime prints goes to `<name>.log`. A `Failure` explains every other end.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Generic, TypeVar

from latcast.schema import Failure, InputError, from_plain, to_plain
from profilers.host.child_limits import ChildLimits
from profilers.host.children import broken_answer, explain_end, kill, start_child

__all__ = ["OneShotChildren", "answer_one"]

R = TypeVar("R")
A = TypeVar("A")

ANSWER_BYTES = 64 * 2**20


class OneShotChildren(Generic[A]):
    """Children of one kind that are asked one after the other, each in a fresh process.

    Args:
        module: what runs in each of them; as a program it calls `answer_one`.
        answers: type of the record that they answer with.
        folder: private to the caller; files that requests speak of are there.
    """

    def __init__(self, module: str, answers: type[A], folder: Path) -> None:
        self._module, self._answers, self._folder = module, answers, folder
        self._count = 0

    def ask(self, request: Any, limits: ChildLimits) -> A | Failure:
        """What a fresh child answers, or why it does not.

        Args:
            request: record of the type that the module gives to `answer_one`.
            limits: after `timeout_s` the child is killed with all that it started.
        """
        self._count += 1
        name = f"child-{self._count}"
        plain = {"limits": to_plain(limits), "request": to_plain(request)}
        self._path(name, "request.json").write_text(json.dumps(plain))
        code = self._run(name, limits.timeout_s)
        answer = self._path(name, "answer.json")
        if code == 0 and answer.exists() and answer.stat().st_size <= ANSWER_BYTES:
            return self._read(answer)
        return explain_end(code, self._path(name, "log"), limits)

    def _run(self, name: str, timeout_s: float) -> int | None:
        """The exit code of a child; None where it had to be killed at the end of its time."""
        output = self._path(name, "log")
        process = start_child(self._module, str(self._folder), name, folder=self._folder, output=output)
        try:
            return process.wait(timeout_s)
        except TimeoutExpired:
            return None
        finally:
            kill(process)

    def _read(self, path: Path) -> A | Failure:
        try:
            plain = json.loads(path.read_bytes())
            if "failure" in plain:
                return from_plain(Failure, plain["failure"])
            return from_plain(self._answers, plain["answer"])
        except (ValueError, TypeError, KeyError, InputError) as error:
            return broken_answer(error)

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / f"{name}.{suffix}"


def answer_one(requests: type[R], answer: Callable[[R, Path], Any]) -> None:
    """Answer the request that this process was started for.

    Args:
        requests: type of the request.
        answer: (request, folder) → the record to answer with, or a `Failure`. Whatever it raises ends this process
            without an answer.
    """
    folder, name = Path(sys.argv[1]), sys.argv[2]
    plain = json.loads((folder / f"{name}.request.json").read_bytes())
    from_plain(ChildLimits, plain["limits"]).apply()
    said = answer(from_plain(requests, plain["request"]), folder)
    draft = folder / f"{name}.draft.json"
    draft.write_text(json.dumps({"failure" if isinstance(said, Failure) else "answer": to_plain(said)}))
    draft.replace(folder / f"{name}.answer.json")
