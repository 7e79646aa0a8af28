"""A report says what its job's agent can have measured, and no more of it than the job asked for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from latcast.schema import (
    CounterReading,
    Environment,
    Failure,
    FeedSpec,
    InputError,
    KernelTiming,
    Measurement,
    ProcessRun,
    ProfileSettings,
    to_plain,
)
from service.jobs.payloads import ProfilePayload
from service.jobs.report_checks import clipped, require_fit
from tests.service.helpers import TARGET, World, measurement

ASKED = ProfilePayload(settings=ProfileSettings(backend="fake", processes=2, max_samples=5))
RUN = ProcessRun(samples_ms=(1.0,) * 5)
TAKEN = replace(measurement("g"), settings=ASKED.settings, runs=(RUN, RUN), sentinel_ms=(0.1,) * 8)
KERNEL = KernelTiming(operator="MatMul", share=1.0, time_ms=1.0)
FEED = FeedSpec(name="x", dtype="float32", shape=(1, 8))


def with_run(**changes: Any) -> Measurement:
    return replace(TAKEN, runs=(replace(RUN, **changes), RUN))


WRONG: dict[str, Measurement] = {
    "protocol_version": replace(TAKEN, protocol_version=99),
    "settings.processes": replace(TAKEN, settings=replace(ASKED.settings, processes=3)),
    "settings.backend": replace(TAKEN, settings=replace(ASKED.settings, backend="other")),
    "runs: ": replace(TAKEN, runs=(RUN,) * 3),
    "runs[0].samples_ms": with_run(samples_ms=(1.0,) * 6),
    "runs[0].runs_per_sample": with_run(runs_per_sample=-5),
    "runs[0].warmup_runs": with_run(warmup_runs=-1),
    "runs[0].load_ms": with_run(load_ms=-1.0),
    "runs[0].peak_memory_bytes": with_run(peak_memory_bytes=-1),
    "runs[0].kernels[0].share": with_run(kernels=(replace(KERNEL, share=1.5),)),
    "runs[0].kernels[0].time_ms": with_run(kernels=(replace(KERNEL, time_ms=-1.0),)),
    "runs[0].kernels[0]: a text": with_run(kernels=(replace(KERNEL, operator="x" * 2000),)),
    "runs[0].kernels[0]: shapes": with_run(kernels=(replace(KERNEL, input_shapes=((1,),) * 2000),)),
    "runs[0].kernels[0]: sizes": with_run(kernels=(replace(KERNEL, output_shapes=((1,) * 100,)),)),
    "runs[0].kernels: ": with_run(kernels=(KERNEL,) * 10_001),
    "runs[1].kernels": replace(TAKEN, runs=(RUN, replace(RUN, kernels=(KERNEL,)))),
    "runs[0].counters: a": with_run(counters=CounterReading(values={str(event): 1.0 for event in range(501)})),
    "runs[0].counters: text": with_run(counters=CounterReading(absent={"llc": "x" * 2000})),
    "runs[0].no_kernels": with_run(no_kernels="x" * 10_001),
    "sentinel_ms": replace(TAKEN, sentinel_ms=(0.1,) * 9),
    "environment": replace(TAKEN, before=Environment(time_unix_s=1.0, governor="x" * 2000)),
}


@pytest.mark.parametrize("where", WRONG)
def test_what_no_measurement_of_the_job_says_is_refused(where: str) -> None:
    with pytest.raises(InputError) as caught:
        require_fit(ASKED, WRONG[where], nodes=1)
    assert str(caught.value).startswith(where.partition(" ")[0].rstrip(":"))


def test_large_graphs_may_have_more_kernels() -> None:
    require_fit(ASKED, with_run(kernels=(KERNEL,) * 10_001), nodes=501)


def test_what_the_job_asked_for_is_taken() -> None:
    require_fit(ASKED, TAKEN, nodes=1)
    require_fit(ASKED, with_run(kernels=(KERNEL,), counters=CounterReading(absent={"llc": "no PMU"})), nodes=1)
    require_fit(ASKED, replace(TAKEN, runs=(), failure=Failure(stage="run", message="NaN")), nodes=1)


def test_feeds_count_where_the_job_names_some() -> None:
    taken = replace(TAKEN, feeds=(FEED,))
    require_fit(ASKED, taken, nodes=1)
    require_fit(replace(ASKED, feeds=(FEED,)), taken, nodes=1)
    with pytest.raises(InputError, match="feeds"):
        require_fit(replace(ASKED, feeds=(replace(FEED, low=0.0, high=1.0),)), taken, nodes=1)


def test_a_sentinel_and_kernels_that_nobody_asked_for_are_refused() -> None:
    asked = replace(ASKED, settings=replace(ASKED.settings, sentinel=False, kernels=False))
    taken = replace(TAKEN, settings=asked.settings)
    with pytest.raises(InputError, match="sentinel_ms"):
        require_fit(asked, taken, nodes=1)
    with pytest.raises(InputError, match="kernels"):
        require_fit(asked, replace(taken, sentinel_ms=(), runs=(replace(RUN, kernels=(KERNEL,)),)), nodes=1)


def test_reasons_are_cut_and_stages_are_known() -> None:
    failure = Failure(stage="crash", message="begin" + "x" * 90_000 + "end")
    assert len(clipped(failure).message) < 10_010
    assert clipped(failure).message.startswith("begin")
    assert clipped(failure).message.endswith("end")
    with pytest.raises(InputError, match="100,000 characters"):
        clipped(Failure(stage="crash", message="x" * 100_001))
    with pytest.raises(InputError, match="none of crash"):
        clipped(Failure(stage="lunch", message="No."))


Change = Callable[[dict[str, Any]], None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("measurement.runs[0].samples_ms", lambda taken: taken["runs"][0].update(samples_ms=[1.0] * 10_001)),
        ("measurement.runs", lambda taken: taken.update(runs=taken["runs"] * 11)),
        ("measurement.sentinel_ms", lambda taken: taken.update(sentinel_ms=[1.0] * 1001)),
        ("runs[0].samples_ms", lambda taken: taken["runs"][0].update(samples_ms=[1.0] * 501)),
        ("runs[0].samples_ms", lambda taken: taken["runs"][0].update(samples_ms=[1.7e308, 1.7e308])),
        ("runs[0].samples_ms", lambda taken: taken["runs"][0].update(samples_ms=[1e-300])),
        ("sentinel_ms", lambda taken: taken.update(sentinel_ms=[0.0])),
        ("runs[0].runs_per_sample", lambda taken: taken["runs"][0].update(runs_per_sample=-5)),
        ("protocol_version", lambda taken: taken.update(protocol_version=99)),
        ("settings.seed", lambda taken: taken["settings"].update(seed=7)),
    ],
)
def test_reports_over_http_are_refused_with_a_sentence_and_the_lease_goes_on(
    world: World, where: str, change: Change
) -> None:
    agent, graph = world.agent(), world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    body: dict[str, Any] = {"lease_token": job["lease_token"], "measurement": to_plain(measurement(graph))}
    change(body["measurement"])
    headers = {"Authorization": f"Bearer {agent.key}"}
    response = world.http.post(f"/v1/jobs/{job['id']}/result", json=body, headers=headers)
    assert response.status_code == 422
    assert response.json()["type"] == "urn:latcast:problem:input"
    assert where in response.json()["detail"]
    assert agent.result(job["id"], job["lease_token"], measurement(graph))["state"] == "done"


@pytest.mark.parametrize("name", ["runs_per_sample", "warmup_runs", "peak_memory_bytes"])
def test_numbers_that_no_float_holds_are_refused_too(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: 10{{39}} is not between"):
        require_fit(ASKED, with_run(**{name: 10**400}), nodes=1)
