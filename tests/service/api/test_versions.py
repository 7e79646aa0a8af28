"""The API's paths begin with its version; the paths without one, of agents and scripts from before, go on working."""

import re
from collections.abc import Iterator

import pytest

from latcast.schema import to_plain
from tests.service.helpers import DEVICE, TARGET, World, measurement, model

UNVERSIONED = ("/healthz", "/readyz", "/metrics")
BODIES = {"POST": {"strange": 1}, "PUT": {"strange": 1}}
"""Bodies that no route takes, so that nothing is written."""


def described(world: World) -> Iterator[tuple[str, str]]:
    """(method, path) of every operation, with `none` for parameters."""
    for path, operations in world.http.get("/openapi.json").json()["paths"].items():
        for method in operations:
            yield method.upper(), re.sub(r"\{\w+\}", "none", path)


def test_only_versioned_paths_and_those_of_operators_are_described(world: World) -> None:
    paths = {path for _, path in described(world)}
    assert {path for path in paths if not path.startswith("/v1/")} == set(UNVERSIONED)
    assert len(paths) > 25
    assert world.http.get("/v1/openapi.json").status_code == 404
    for path in UNVERSIONED:
        assert world.http.get("/v1" + path).status_code == 404


@pytest.mark.slow
def test_every_alias_answers_as_the_versioned_path(world: World) -> None:
    world.graph()
    world.agent()
    for method, path in described(world):
        if path in UNVERSIONED:
            continue
        answers = [world.http.request(method, way, json=BODIES.get(method)) for way in (path, path.removeprefix("/v1"))]
        versioned, alias = answers
        assert (alias.status_code, alias.content) == (versioned.status_code, versioned.content), path
        assert alias.headers["content-type"] == versioned.headers["content-type"]
        assert (alias.headers["deprecation"], alias.headers["sunset"]) == (
            "@1796083200", "Fri, 01 Dec 2028 00:00:00 GMT"
        )  # fmt: skip
        assert alias.headers["link"] == f'<{path}>; rel="successor-version"'
        assert {"deprecation", "sunset", "link"}.isdisjoint(versioned.headers)
        assert "There is nothing at" not in alias.text, path


OPERATIONS = """
activate_predictor adapt_target alive bin_rows cancel_job compare_targets create_enrolment_token create_jobs create_key
deactivate_predictor explain_forecast export_csv export_parquet export_rows_csv export_rows_parquet extend_lease
follow_job get_graph get_job get_lookup_table get_measurement get_microbench get_model get_overview get_predictor
get_contenders get_predictor_calibration get_predictor_card get_quality get_session get_target get_target_predictor
get_target_state get_device get_frontier list_children
hide_device hide_graph hide_measurements hide_target lease_job list_audit list_devices list_jobs list_keys
list_measurements list_nodes list_predictors list_rows list_targets merge_device merge_target metrics predict
put_microbench ready register_device remove_predictor rename_device report_failure report_result revoke_key rotate_key
show_device show_graph show_measurements show_target upload_architecture upload_graph
"""
"""Code is generated from these names: a new operation is added, and none is renamed within `/v1`."""


def test_operations_keep_their_names(world: World) -> None:
    paths = world.http.get("/openapi.json").json()["paths"].values()
    names = [operation["operationId"] for operations in paths for operation in operations.values()]
    assert sorted(names) == sorted(OPERATIONS.split())


def test_bodies_of_models_may_be_as_large_on_both_paths(world: World) -> None:
    content = b"x" * (world.settings.max_body_bytes + 1)
    headers = {"content-type": "application/octet-stream"}
    for path in ("/graphs", "/v1/graphs"):
        assert world.http.post(path, content=content, headers=headers).json()["type"].endswith(":invalid-model")


def test_an_agent_and_a_client_from_before_work_against_the_service(world: World) -> None:
    """The calls of a version that knew no prefix, path by path."""
    body = {"device": to_plain(DEVICE), "targets": to_plain([TARGET]), "enrolment_token": None}
    agent = {"Authorization": f"Bearer {world.http.post('/devices/register', json=body).json()['agent_key']}"}
    octets = {"Content-Type": "application/octet-stream"}
    graph = world.http.post("/graphs", content=model(), headers=octets).json()["hash"]
    wanted = {"kind": "profile", "target": TARGET.id, "graphs": [graph]}
    (job,) = world.http.post("/jobs", json=wanted).json()["items"]
    lease = world.http.post("/jobs/lease", json={"wait_s": 0}, headers=agent).json()
    assert lease["id"] == job["id"]
    assert world.http.get(f"/graphs/{graph}/model", headers=agent).content
    token = {"lease_token": lease["lease_token"]}
    assert world.http.post(f"/jobs/{job['id']}/heartbeat", json=token, headers=agent).is_success
    report = {**token, "measurement": to_plain(measurement(graph))}
    assert world.http.post(f"/jobs/{job['id']}/result", json=report, headers=agent).json()["state"] == "done"
    assert world.http.get(f"/jobs/{job['id']}").json()["state"] == "done"
    rows = world.http.get(f"/targets/{TARGET.id}/measurements").json()["items"]
    assert [row["graph"] for row in rows] == [graph]
    asked = {"target": TARGET.id, "items": [{"space": "toy", "text": "abc"}], "level": 0.9}
    assert world.http.post("/predict", json=asked).json()["items"][0]["latency_ms"] == 3.0
