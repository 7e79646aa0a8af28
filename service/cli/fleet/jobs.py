"""`latcast jobs` and `latcast cancel`: what the service is asked to do, and how it goes."""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from latcast.loops.target_names import find_target
from latcast.schema import FINISHED_STATES, InputError, JobKind, JobState, UnknownNameError
from service.cli.common import open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, ServerOption, TargetOption
from service.cli.progress import reason
from service.cli.remarks import say_remarks
from service.cli.results import deliver, done_for_each, fail_each
from service.cli.tables import Column, echo, names, numbers, output, print_pairs, print_table, say
from service.cli.units import ago

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["cancel", "jobs"]

SEARCHED = 1_000
"""Newest jobs among which a part of an id is looked for."""
WATCH_SECONDS = 2.0


def jobs(
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", help="A job's id, or its beginning or end: shows it with its attempts."),
    ] = None,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    kind: Annotated[JobKind | None, typer.Option(help="Only jobs of this kind.")] = None,
    target: TargetOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print jobs again as they change, until all have ended.")
    ] = False,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """List jobs, newest first, or show one: its state, its attempts and why they failed, or what it waits for.

    \b
    Examples:
      latcast jobs
      latcast jobs --state failed --limit 5
      latcast jobs --watch
      latcast jobs 9f3a27c1
    """
    with open_client(server, key) as client:
        if job is not None:
            _show(client, _find(client, job)["id"], json_out)
            return
        filters = _filters(client, state, kind, target)
        listed = list(islice(client.jobs(**filters), limit))
        out = output()
        deliver(listed, json_out, lambda: _print(listed, out))
        if watch and json_out != "-":
            _watch(client, filters, limit, listed, out)


def cancel(
    job: Annotated[list[str], typer.Argument(metavar="JOB", help="Ids of jobs, or their beginnings or ends.")],
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Cancel jobs and the jobs that they wait for. What an agent measures now is thrown away when it reports.

    Exits with 1 when one of them could not be cancelled; the others are all the same.

    \b
    Example:
      latcast cancel 9f3a27c1
    """
    with open_client(server, key) as client:
        ended, problems = done_for_each(job, lambda part: client.cancel(_find(client, part)["id"]))
    deliver(ended, json_out, lambda: _print_states(ended))
    fail_each(problems)


def _print_states(ended: Sequence[Mapping[str, Any]]) -> None:
    for one in ended:
        echo(f"{one['id']}: {one['state']}")


def _filters(client: "Client", state: JobState | None, kind: JobKind | None, target: str | None) -> dict[str, str]:
    wanted = {
        "state": state.value if state else None,
        "kind": kind.value if kind else None,
        "target": None if target is None else find_target(client.targets(), target)["id"],
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _find(client: "Client", part: str) -> Mapping[str, Any]:
    """The job with this id, or the one of the newest whose id begins or ends with it.

    Raises:
        InputError: several do.
        UnknownNameError: none does.
    """
    newest = list(islice(client.jobs(), SEARCHED))
    fitting = [job for job in newest if job["id"] == part] or [
        job for job in newest if part and (job["id"].startswith(part) or job["id"].endswith(part))
    ]
    if len(fitting) > 1:
        raise InputError(f"Several jobs fit {part!r}: {', '.join(job['id'] for job in fitting[:10])}.")
    if fitting:
        return fitting[0]
    if len(newest) == SEARCHED:
        return client.job(part)
    raise UnknownNameError("job", part, [job["id"] for job in newest[:10]])


def _print(listed: Sequence[Mapping[str, Any]], out: Console) -> None:
    if not listed:
        say("No jobs. `latcast measure` and `latcast adapt` make some.", out)
        return
    columns = [Column("job"), Column("kind"), Column("state"), numbers("tries"), Column("target"), Column("age")]
    print_table(columns, [_row(job) for job in listed], out=out)
    say_remarks([(job["id"], [why] if (why := job.get("waiting")) else []) for job in listed], out)


def _row(job: Mapping[str, Any]) -> tuple[str, ...]:
    tries = f"{job['attempts']}/{job['max_attempts']}"
    return (
        job["id"],
        job["kind"],
        job["state"],
        tries,
        job["target"] or "",
        ago(job["created_unix_s"]).removesuffix(" ago"),
    )


def _watch(
    client: "Client", filters: Mapping[str, str], limit: int, listed: Iterable[Mapping[str, Any]], out: Console
) -> None:
    """Print a line for each change, until no job of the list is open."""
    states = {job["id"]: job["state"] for job in listed}
    while any(state not in FINISHED_STATES for state in states.values()):
        time.sleep(WATCH_SECONDS)
        for job in reversed(list(islice(client.jobs(**filters), limit))):
            if states.get(job["id"]) != job["state"]:
                states[job["id"]] = job["state"]
                say(f"{job['id']}  {job['kind']}  {job['state']}", out)
        for job_id in [job_id for job_id, state in states.items() if state not in FINISHED_STATES]:
            states[job_id] = client.job(job_id)["state"]


def _show(client: "Client", job_id: str, json_out: str | None) -> None:
    job = client.job(job_id)
    deliver(job, json_out, lambda: _print_job(job, output()))


def _print_job(job: dict[str, Any], out: Console) -> None:
    pairs = [("job", job["id"]), ("kind", job["kind"]), ("state", job["state"]), ("target", job["target"] or "–")]
    pairs += [("graph", job["graph"])] if job["graph"] else []
    pairs += [("made", ago(job["created_unix_s"])), ("changed", ago(job["updated_unix_s"]))]
    children = ", ".join(f"{count:,} {state}" for state, count in job["children"].items())
    pairs += [("waits for", children)] if children else []
    pairs += [("waits because", job["waiting"])] if job.get("waiting") else []
    pairs += [("because", reason(job))] if job["state"] == JobState.FAILED else []
    print_pairs(pairs, out=out)
    if job["reasons"]:
        columns = [numbers("try"), Column("ended"), Column("stage"), names("message")]
        rows = [
            (str(one["number"]), one["outcome"] or "at it", one["stage"] or "", one["message"] or "")
            for one in job["reasons"]
        ]
        print_table(columns, rows, out=out, title="tries")
