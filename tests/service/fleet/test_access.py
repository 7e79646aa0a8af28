"""Who may do what."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from latcast.errors import AuthenticationError, ConflictError, ForbiddenError, NotFoundError
from latcast.schema import InputError
from service.db import tables
from service.fleet import access
from tests.service.helpers import TARGET, World

MakeWorld = Callable[..., World]
OPEN = {"GET /healthz", "GET /readyz", "POST /devices/register", "GET /session"}
READ = {"admin", "client", "measure"}
EVERYBODY = {*READ, "agent"}
MEASURE = {"admin", "measure"}
SCOPES = {
    "POST /keys/enrolment": {"admin"},
    "POST /keys": {"admin"},
    "GET /keys": {"admin"},
    "DELETE /keys/{key_id}": {"admin"},
    "POST /keys/{key_id}/rotate": {"admin"},
    "GET /audit": {"admin"},
    "GET /devices": READ,
    "GET /devices/{device_id}": READ,
    "GET /compare": READ,
    **{f"DELETE /{kind}": {"admin"} for kind in ("devices/{device_id}", "targets/{target_id}", "graphs/{graph_hash}")},
    **{
        f"POST /{kind}/show": {"admin"}
        for kind in ("devices/{device_id}", "targets/{target_id}", "graphs/{graph_hash}")
    },
    **{f"POST /devices/{{device_id}}/{what}": {"admin"} for what in ("rename", "merge")},
    "POST /targets/{target_id}/merge": {"admin"},
    **{f"POST /measurements/{what}": {"admin"} for what in ("hide", "show")},
    "POST /graphs": READ,
    "POST /architectures": READ,
    "GET /graphs/{graph_hash}": READ,
    "GET /graphs/{graph_hash}/model": EVERYBODY,
    "POST /jobs": MEASURE,
    "GET /jobs": READ,
    "POST /jobs/lease": {"agent"},
    "GET /jobs/{job_id}": READ,
    "GET /jobs/{job_id}/events": READ,
    "GET /jobs/{job_id}/children": READ,
    "POST /jobs/{job_id}/cancel": MEASURE,
    "POST /jobs/{job_id}/heartbeat": {"agent"},
    "POST /jobs/{job_id}/result": {"agent"},
    "POST /jobs/{job_id}/failure": {"agent"},
    "POST /predict": READ,
    "GET /targets": READ,
    "GET /targets/{target_id}": READ,
    "POST /targets/{target_id}/adapt": MEASURE,
    "POST /targets/{target_id}/explain": READ,
    "GET /targets/{target_id}/microbench": EVERYBODY,
    "PUT /targets/{target_id}/microbench": {"agent"},
    "GET /targets/{target_id}/measurements": READ,
    "GET /targets/{target_id}/dataset.csv": READ,
    "GET /targets/{target_id}/dataset.parquet": READ,
    "GET /targets/{target_id}/quality": READ,
    "GET /targets/{target_id}/contenders": READ,
    "GET /measurements/{measurement_id}": READ,
    "GET /overview": READ,
    "GET /graphs/{graph_hash}/nodes": READ,
    **{
        f"GET /targets/{{target_id}}/{what}": READ
        for what in ("rows", "rows.csv", "rows.parquet", "bins", "predictor", "frontier")
    },
    "GET /targets/{target_id}/state": READ,
    "GET /targets/{target_id}/lookup-table": READ,
    "GET /predictors/{predictor_id}/card": READ,
    "GET /predictors/{predictor_id}/calibration.svg": READ,
    "POST /predictors/{predictor_id}/activate": {"admin"},
    "POST /predictors/{predictor_id}/deactivate": {"admin"},
    "DELETE /predictors/{predictor_id}": {"admin"},
    "GET /predictors": READ,
    "GET /predictors/{predictor_id}": READ,
    "GET /metrics": READ,
}


def calls(world: World) -> dict[str, tuple[str, set[str]]]:
    """Every route by its name without the version: its method, and its paths without variables."""
    described = world.app.openapi()["paths"]
    return {
        f"{method.upper()} {path.removeprefix('/v1')}": (method.upper(), {path, path.removeprefix("/v1")})
        for path, methods in described.items()
        for method in methods
    }


@pytest.mark.slow
def test_every_route_has_its_scopes_and_no_more(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    assert set(calls(world)) == set(SCOPES) | OPEN
    for name, scopes in SCOPES.items():
        method, paths = calls(world)[name]
        for path in {path.replace("{measurement_id}", "1") for path in paths}:
            assert world.http.request(method, path).status_code == 401, name
            for scope, key in keys.items():
                response = world.http.request(method, path, headers={"Authorization": f"Bearer {key}"})
                allowed = scope in scopes
                assert (response.status_code == 403) is not allowed, f"{name} with {scope}: {response.status_code}"
                assert response.status_code != 401
                assert response.status_code < 500


def test_wrong_and_revoked_keys_are_refused(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    with pytest.raises(AuthenticationError, match="unknown or was revoked"):
        world.client_with(keys["client"][:-1]).targets()
    reader = world.client_with(keys["client"])
    assert len(reader.targets()) == 1
    (row,) = [key for key in world.client.api_keys() if key["scope"] == "client"]
    world.client.revoke_key(row["id"])
    with pytest.raises(AuthenticationError):
        reader.targets()
    with pytest.raises(NotFoundError):
        world.client.revoke_key("nobody's")


def test_keys_are_kept_as_hashes_only(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    with world.database.read() as session:
        kept = [row for table in (tables.ApiKey, tables.EnrolmentToken) for row in session.scalars(select(table))]
        columns = [str(vars(row)) for row in kept]
    assert not [column for column in columns for key in keys.values() if key.removeprefix("latcast_") in column]
    assert not [key for key in world.client.api_keys() if "key" in key]


def test_open_service_becomes_closed_with_the_first_key_and_stays_so(world: World) -> None:
    world.client.targets()
    made = world.client.create_key("admin")
    with pytest.raises(AuthenticationError, match="needs a key"):
        world.client.targets()
    world.client.key = made["key"]
    world.client.revoke_key(made["id"])
    with pytest.raises(AuthenticationError):
        world.client_with(None).targets()


def test_agents_leave_a_service_open(world: World) -> None:
    world.agent()
    assert len(world.client.targets()) == 1


def test_first_key_must_not_lock_everybody_out(world: World) -> None:
    with pytest.raises(ConflictError, match="admin key first"):
        world.client.create_key("client")


def test_required_keys_close_a_service_without_any(make_world: MakeWorld) -> None:
    world = make_world(require_keys=True)
    with pytest.raises(AuthenticationError):
        world.client.targets()
    assert world.client.readiness()["ready"]


def test_leasing_needs_an_agent(world: World) -> None:
    with pytest.raises(AuthenticationError, match="register the device first"):
        world.client.lease(wait_s=0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_loopback_is_always_allowed(world: World, host: str) -> None:
    access.check_bind(world.settings.model_copy(update={"host": host}), world.database.engine)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.4", "example.org"])
def test_other_addresses_need_keys(world: World, host: str) -> None:
    settings = world.settings.model_copy(update={"host": host})
    with pytest.raises(InputError, match="without keys"):
        access.check_bind(settings, world.database.engine)
    access.check_bind(settings.model_copy(update={"require_keys": True}), world.database.engine)
    world.client.create_key("admin")
    access.check_bind(settings, world.database.engine)


def test_scope_error_names_what_is_needed() -> None:
    with pytest.raises(ForbiddenError, match="scope admin; yours has client"):
        access.require_scope(access.Principal(scope="client"), ("admin",))


def test_a_key_ends_when_its_time_is_over(keyed: tuple[World, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its caller is remembered: nothing is committed when time passes."""
    world, _ = keyed
    made = world.client.create_key("client", owner="ada", expires_in_s=3600)
    assert (made["owner"], made["expires_unix_s"] - made["created_unix_s"]) == ("ada", pytest.approx(3600, abs=5))
    reader = world.client_with(made["key"])
    reader.targets()
    end = made["expires_unix_s"]
    monkeypatch.setattr(access, "time", SimpleNamespace(time=lambda: end + 1))
    with pytest.raises(AuthenticationError, match="time is over"):
        reader.targets()
    with world.database.read() as session, pytest.raises(AuthenticationError):
        access.require_valid(session, access.Principal(key_id=made["id"]))


def test_a_rotated_key_goes_on_for_a_while(
    keyed: tuple[World, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = keyed
    old = world.client.create_key("measure", name="tuning", owner="ada", max_open_jobs=3)
    new = world.client.rotate_key(old["id"], overlap_s=60)
    assert [new[name] for name in ("scope", "name", "owner", "max_open_jobs", "expires_unix_s")] == [
        "measure", "tuning", "ada", 3, None,
    ]  # fmt: skip
    for key in (old, new):
        world.client_with(key["key"]).targets()
    later = access.time.time() + 61
    monkeypatch.setattr(access, "time", SimpleNamespace(time=lambda: later))
    world.client_with(new["key"]).targets()
    with pytest.raises(AuthenticationError):
        world.client_with(old["key"]).targets()
    with pytest.raises(ConflictError, match="ended already"):
        world.client.rotate_key(old["id"])
    (agent,) = [key for key in world.client.api_keys() if key["scope"] == "agent"]
    with pytest.raises(ConflictError, match="enrol"):
        world.client.rotate_key(agent["id"])
    with pytest.raises(NotFoundError):
        world.client.rotate_key("nobody's")


def test_a_key_that_measures_cancels_its_own_jobs_alone(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    measurer = world.client_with(keys["measure"])
    graph = world.graph()
    (mine,) = measurer.profile(TARGET.id, graphs=[graph])
    (other,) = world.client.profile(TARGET.id, graphs=[graph])
    assert mine["key"] != other["key"]
    with pytest.raises(ForbiddenError, match="another key's"):
        measurer.cancel(other["id"])
    assert measurer.cancel(mine["id"])["state"] == "cancelled"
    world.client.cancel(other["id"])
