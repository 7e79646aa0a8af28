"""Progress, of this machine's own work and of jobs that others do."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from latcast.errors import UnavailableError
from latcast.loops.target_names import find_target
from latcast.schema import FINISHED_STATES, JobState, LatcastError
from service.cli.tables import say, shown

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = [
    "DESCRIPTION",
    "bar",
    "ended",
    "first_target",
    "follow",
    "follow_all",
    "follow_progress",
    "left_out_error",
    "reason",
]

POLL_SECONDS = 0.3
SERVICE_SECONDS, TARGET_SECONDS = 15.0, 600.0
"""How long a service may take to start, and its first agent to register."""


DESCRIPTION = "{task.description}"
"""What stands before or behind a bar: the task's description."""


def bar(console: Console, *columns: str | ProgressColumn, transient: bool = True) -> Progress:
    """A bar; plain lines without one where the output is no terminal.

    Args:
        console: where to.
        columns: rich's, or texts with fields of the task in braces, in whose values no markup acts. Where left out,
            the description, a bar that counts, and the time it took.
        transient: the bar goes when it is done.
    """
    parts = columns or (DESCRIPTION, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    drawn = [part for part in parts if console.is_terminal or not isinstance(part, BarColumn)]
    plain = [_Plain(part) if isinstance(part, str) else part for part in drawn]
    return _Bar(*plain, console=console, transient=transient)


class _Bar(Progress):
    """A bar that leaves whole lines behind where there is no terminal: rich's writes an empty one, or ends none."""

    def stop(self) -> None:
        """Stop drawing."""
        self.live.stop()
        if self.tasks and not (self.live.transient or self.console.is_terminal):
            self.console.print()


class _Plain(TextColumn):
    """A text in which neither markup nor control characters act."""

    def render(self, task: Task) -> Text:
        return shown(self.text_format.format(task=task))


def first_target(
    client: "Client", wanted: str | None, console: Console, *, spaces: Sequence[str] = ()
) -> Mapping[str, Any]:
    """The target that is meant; waits while the service starts and until an agent has registered the first target.

    Raises:
        UnavailableError: the service cannot be reached for `SERVICE_SECONDS`.
        InputError: no target, or more than one, fits; or none is registered within `TARGET_SECONDS`.
    """
    began, told = time.monotonic(), False
    while True:
        waited = time.monotonic() - began
        try:
            targets = client.targets()
        except UnavailableError:
            if waited > SERVICE_SECONDS:
                raise
            targets = None
        if targets or (targets is not None and waited > TARGET_SECONDS):
            return find_target(targets, wanted, spaces=spaces)
        if targets is not None and not told:
            say("The service has no target yet: waiting for `latcast agent` on a device …", console)
            told = True
        time.sleep(POLL_SECONDS)


def follow(client: "Client", job_id: str, *, what: str, console: Console) -> dict[str, Any]:
    """Wait for a job with children and show how many are finished; the finished job.

    Raises:
        LatcastError: it failed or was cancelled; says why.
    """
    with bar(console) as progress:
        task = progress.add_task(what, total=None)
        say_waiting = _Waiting(console)

        def show(job: dict[str, Any]) -> None:
            children = job["children"]
            finished = sum(children.get(state, 0) for state in FINISHED_STATES)
            progress.update(task, completed=finished, total=sum(children.values()) or None)
            say_waiting(job)

        job = client.wait(job_id, timeout_s=math.inf, poll_s=POLL_SECONDS, on_change=show)
    if job["state"] != JobState.DONE:
        raise LatcastError(ended({**job, "id": job_id}))
    return job


def follow_progress(client: "Client", job_id: str, *, what: str, console: Console) -> dict[str, Any]:
    """Wait for a job that tells how far it is, and show that; the finished job.

    Raises:
        LatcastError: it failed or was cancelled; says why.
    """
    columns = (DESCRIPTION, BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with bar(console, *columns) as progress:
        task = progress.add_task(what, total=None)
        say_waiting = _Waiting(console)

        def show(job: dict[str, Any]) -> None:
            say_waiting(job)
            if (said := job.get("progress")) is not None:
                progress.update(task, completed=said["share"], total=1.0, description=f"{what}: {said['what']}")

        job = client.wait(job_id, timeout_s=math.inf, poll_s=POLL_SECONDS, on_change=show)
    if job["state"] != JobState.DONE:
        raise LatcastError(ended({**job, "id": job_id}))
    return job


class _Waiting:
    """Says why a job waits, in a line above the bar, each time that the reason is another one."""

    def __init__(self, console: Console) -> None:
        self._console, self._said = console, ""

    def __call__(self, job: Mapping[str, Any]) -> None:
        why = job.get("waiting") or ""
        if why and why != self._said:
            say(f"Waiting. {why}", self._console)
        self._said = why


def follow_all(
    client: "Client", job_ids: Sequence[str], *, what: str, console: Console, on_done: Callable[[dict[str, Any]], None]
) -> None:
    """Wait for jobs and hand each over as it finishes, whether it is done or has failed."""
    waiting, say_waiting = list(job_ids), _Waiting(console)
    with bar(console) as progress:
        task = progress.add_task(what, total=len(waiting))
        while waiting:
            for job in [client.job(job_id) for job_id in waiting[:2]]:
                say_waiting(job)
                if job["state"] in FINISHED_STATES:
                    waiting.remove(job["id"])
                    progress.update(task, advance=1)
                    on_done(job)
            time.sleep(POLL_SECONDS)


def ended(job: dict[str, Any]) -> str:
    """What became of a job that did not get done, as a sentence."""
    if job["state"] == JobState.CANCELLED:
        return f"The job {job['id']} was cancelled."
    return f"The job {job['id']} {job['state']}: {reason(job)}"


def reason(job: dict[str, Any]) -> str:
    """Why a job did not get done."""
    result = job["result"] or {}
    messages = [attempt["message"] for attempt in job["reasons"] if attempt["message"]]
    return str(result.get("error") or (messages[-1] if messages else "no reason was kept."))


def left_out_error(result: dict[str, Any]) -> str:
    """How well an adaptation forecasts networks that it was not adapted to, in words.

    Args:
        result: that of the adaptation's job.
    """
    error = result.get("support_loo_median_ape")
    if error is None:
        return "too few of them to tell its error"
    return f"median error {error:.1%} on each when it is left out"
