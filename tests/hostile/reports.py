"""Hostile reports of agents: more than was asked for, of other work, with numbers that mean nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from latcast.client import Client
from latcast.schema import Failure, to_plain
from tests.hostile.entry import Entry
from tests.hostile.served import Answer, Served
from tests.service.helpers import OTHER_TARGET, TARGET, measurement, model

Plain = dict[str, Any]
Change = Callable[[Plain], None]


def report(served: Served, change: Change, *, as_failure: bool = False) -> Answer:
    """Lease a job as the target's agent, and deliver a changed report; the job is ended whatever comes of it."""
    graph = served.client.upload_graph(model())["hash"]
    (made,) = served.client.profile(TARGET.id, graphs=[graph])
    key = {"Authorization": f"Bearer {served.agent_key}"}
    job = served.call("POST", "/v1/jobs/lease", b'{"wait_s":10}', headers=key).plain
    assert job["id"] == made["id"], job
    if as_failure:
        body: Plain = {"lease_token": job["lease_token"], "failure": {"stage": "crash", "message": "It crashed."}}
        kind = "failure"
    else:
        plain = to_plain(replace(measurement(graph), settings=_settings(job)))
        body, kind = {"lease_token": job["lease_token"], "measurement": plain}, "result"
    change(body)
    answer = served.call("POST", f"/v1/jobs/{job['id']}/{kind}", json.dumps(body).encode(), headers=key)
    end(served, job)
    return answer


def _settings(job: Plain) -> Any:
    from latcast.schema import ProfileSettings, from_plain

    return from_plain(ProfileSettings, job["settings"])


def end(served: Served, job: Plain) -> None:
    """End a job that may have ended."""
    with Client(served.client.base_url, served.agent_key) as agent:
        if served.client.job(job["id"])["state"] == "leased":
            agent.failure(job["id"], job["lease_token"], Failure(stage="memory", message="No report was taken."))
        if served.client.job(job["id"])["state"] == "queued":
            served.client.cancel(job["id"])


def run(body: Plain) -> Plain:
    first: Plain = body["measurement"]["runs"][0]
    return first


def entry(name: str, change: Change, status: int = 422, says: str = ".", **more: Any) -> Entry:
    failure = more.pop("as_failure", False)
    return Entry(
        name=f"report-{name}", send=lambda it: report(it, change, as_failure=failure), status=status, says=says, **more
    )


def samples(*values: Any) -> Change:
    return lambda body: run(body).update(samples_ms=list(values))


def member(name: str, value: Any) -> Change:
    return lambda body: body["measurement"].update({name: value})


def of_run(name: str, value: Any) -> Change:
    return lambda body: run(body).update({name: value})


def of_settings(name: str, value: Any) -> Change:
    return lambda body: body["measurement"]["settings"].update({name: value})


def of_failure(name: str, value: Any) -> Change:
    return lambda body: body["failure"].update({name: value})


KERNEL = {"operator": "MatMul", "share": 1.0, "time_ms": 1.0}

ENTRIES = [
    entry("honest", lambda _: None, 200, ""),
    entry("two-hundred-thousand-samples", samples(*[1.0] * 200_000), grows_mib=200.0),
    entry("more-samples-than-asked-for", samples(*[1.0] * 501)),
    entry("twenty-thousand-runs", lambda body: body["measurement"].update(runs=[{"samples_ms": [1.0]}] * 20_000),
          grows_mib=200.0),
    entry("more-processes-than-asked-for", lambda body: body["measurement"].update(runs=[run(body)] * 21)),
    entry("other-settings", of_settings("processes", 19)),
    entry("another-protocol", member("protocol_version", 99)),
    entry("runs-below-zero", of_run("runs_per_sample", -5)),
    entry("warmups-below-zero", of_run("warmup_runs", -5)),
    entry("a-load-below-zero", of_run("load_ms", -1.0)),
    entry("memory-below-zero", of_run("peak_memory_bytes", -1)),
    entry("kernels-by-the-thousand", of_run("kernels", [KERNEL] * 20_000), grows_mib=200.0),
    entry("a-kernel-of-minus-one-ms", of_run("kernels", [{**KERNEL, "time_ms": -1.0}])),
    entry("a-kernel-whose-name-moves-the-cursor", of_run("kernels", [{**KERNEL, "operator": "\x1b[2J"}]), 200, ""),
    entry("counters-by-the-ten-thousand", of_run("counters", {"values": {f"c{at}": 1.0 for at in range(10_000)}})),
    entry("counters-by-the-million", of_run("counters", {"values": {f"c{at}": 1 for at in range(900_000)}}), 413,
          "more than 400,000 values", grows_mib=60.0),
    entry("counters-by-the-hundred-thousand", of_run("counters", {"values": {f"c{at}": 1 for at in range(390_000)}}),
          422, "390,000 members", grows_mib=100.0),
    entry("objects-by-the-hundred-thousand", member("evil", [{"a": 0}] * 190_000), 422, ".", grows_mib=100.0),
    entry("samples-whose-sum-is-infinite", samples(1.7e308, 1.7e308)),
    entry("samples-that-take-a-year", samples(3e10)),
    entry("a-sentinel-of-zero", member("sentinel_ms", [0.0, 0.0])),
    entry("a-sentinel-without-end", member("sentinel_ms", [1.0] * 100_000)),
    entry("no-number", samples(float("nan"))),
    entry("infinity", samples(float("inf"))),
    entry("below-zero", samples(-1.0)),
    entry("zero", samples(0.0)),
    entry("a-word", samples("fast")),
    entry("no-samples", samples()),
    entry("a-number-of-400-digits", samples(10**400)),
    entry("no-runs", member("runs", [])),
    entry("another-graph", member("graph", "g1-" + "0" * 64)),
    entry("another-target", lambda body: body["measurement"].update(target=to_plain(OTHER_TARGET))),
    entry("members-nobody-knows", member("evil", {"a": [1] * 1000})),
    entry("somebody-elses-token", lambda body: body.update(lease_token="x" * 43), 409),
    entry("a-token-of-a-megabyte", lambda body: body.update(lease_token="x" * 2**20)),
    entry("both-runs-and-a-failure", member("failure", {"stage": "run", "message": "It failed."})),
    entry("feeds-by-the-thousand", member("feeds", [{"name": "x", "dtype": "float32", "shape": [1, 8]}] * 5000)),
    entry("a-failure", lambda _: None, 200, "", as_failure=True),
    entry("a-failure-at-no-stage", of_failure("stage", "nowhere"), as_failure=True),
    entry("a-failure-of-ten-megabytes", of_failure("message", "m" * 10 * 2**20), as_failure=True),
    entry("a-failure-that-moves-the-cursor", of_failure("message", "\x1b]0;pwned\x07"), 200, "", as_failure=True),
    entry("a-failure-of-a-zero-byte", of_failure("message", "\x00"), as_failure=True),
]  # fmt: skip
"""Every report."""
