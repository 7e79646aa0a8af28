"""Every refusal is a problem detail (RFC 9457) with a sentence."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError, InternalError, NotSupportedError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from latcast import transport
from latcast.errors import PROBLEMS, RateLimitedError, ServiceError
from latcast.schema import (
    LatcastError,
    ModelLimitError,
    UnboundDimensionError,
    UnknownNameError,
    UnsupportedGraphError,
    UnsupportedOperatorError,
    to_plain,
)
from service.api import problems
from service.api.problems import MEDIA_TYPE, problem, problem_of
from service.app import create_app
from service.settings import Settings
from tests.service.helpers import TARGET, DirectReader, World, measurement, run_sql

MakeWorld = Callable[..., World]


EXAMPLES: list[LatcastError] = [
    ModelLimitError("nodes", allowed=10, found=11),
    UnboundDimensionError([("x", 0, "batch"), ("y", 1, "")]),
    UnsupportedOperatorError(["Foo", "Bar"]),
    UnknownNameError("sampler", "best", ["random"]),
    UnsupportedGraphError("Not this one.", operators=["Foo"]),
    RateLimitedError("Wait.", retry_after_s=7.0),
]
"""Errors that know more than a sentence."""


def example(cls: type[LatcastError]) -> LatcastError:
    """An error of the class."""
    return next((error for error in EXAMPLES if type(error) is cls), None) or cls("What was wrong. What to do.")


@pytest.mark.slow
@pytest.mark.parametrize("cls", PROBLEMS)
def test_every_error_of_the_service_is_raised_by_the_client(world: World, cls: type[LatcastError], monkeypatch) -> None:
    error = example(cls)
    monkeypatch.setattr(transport.time, "sleep", lambda _s: None)
    monkeypatch.setattr("service.api.routes.targets.find_target", Mock(side_effect=error))
    with pytest.raises(LatcastError) as caught:
        world.client.target("t")
    read = caught.value
    assert type(read) is (ServiceError if cls is LatcastError else cls)
    assert str(read) == str(error)
    assert {name: getattr(read, name) for name in PROBLEMS[cls].members} == {
        name: getattr(error, name) for name in PROBLEMS[cls].members
    }
    if isinstance(read, RateLimitedError):
        assert read.retry_after_s == 7.0


def test_sentences_hold_nothing_that_acts_in_a_terminal() -> None:
    foreign = "No target '\x1b]0;gone\x07[red]\u009b2J\u202e\ud800é'.\nAnother line."
    shown = problem(404, "not-found", foreign)["detail"]
    assert shown == r"No target '\x1b]0;gone\x07[red]\x9b2J\u202e\ud800é'. Another line."


def test_sentences_repeat_no_long_address(world: World) -> None:
    detail = world.http.get("/" + "a" * 5000).json()["detail"]
    assert detail == f"There is nothing at /{'a' * 199}; /docs lists what there is."


def test_an_unlisted_error_is_what_its_nearest_ancestor_is() -> None:
    class StrangerModelError(ModelLimitError):
        pass

    assert problem_of(StrangerModelError("nodes", allowed=1, found=2))["type"] == "urn:latcast:problem:model-limit"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("PUT", "/v1/predict", None, 405),
        ("GET", "/v1/targets/none", None, 404),
        ("GET", "/v1/targets/none/measurements", None, 404),
        ("GET", "/v1/targets/none/dataset.csv", None, 404),
        ("GET", "/v1/targets/none/quality", None, 404),
        ("GET", "/v1/graphs/none", None, 404),
        ("GET", "/v1/graphs/none/model", None, 404),
        ("GET", "/v1/jobs/none", None, 404),
        ("GET", "/v1/predictors/none", None, 404),
        ("GET", "/v1/measurements/1", None, 404),
        ("GET", "/v1/measurements/99999999999999999999999", None, 404),
        ("GET", "/v1/measurements/one", None, 422),
        ("GET", "/v1/targets?limit=0", None, 422),
        ("GET", "/v1/targets?limit=5000", None, 422),
        ("GET", "/v1/targets/none%00", None, 422),
        ("POST", "/v1/predict", {"target": "none", "items": [{"graph": "g"}]}, 404),
        ("POST", "/v1/predict", {"target": "none", "items": []}, 422),
        ("POST", "/v1/predict", {"target": "none", "items": [{"graph": "g"}], "level": 1}, 422),
        ("POST", "/v1/predict", {"target": "none", "itmes": []}, 422),
        ("POST", "/v1/jobs", {"kind": "train"}, 422),
        ("POST", "/v1/jobs", {"kind": "profile", "target": "none", "graphs": ["g"]}, 404),
        ("POST", "/v1/jobs/none/heartbeat", {"lease_token": "t"}, 404),
    ],
)
def test_refusals_are_problems(world: World, method: str, path: str, body: object, status: int) -> None:
    response = world.http.request(method, path, json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:latcast:problem:")
    assert re.search(r"\w.*\.$", problem["detail"])


@pytest.mark.parametrize("body", [b"{", b'{"a":' * 100_000, b"\xff\xfe", b"[]", b"null", b'{"device": NaN}'])
def test_bodies_that_are_no_json_of_ours(world: World, body: bytes) -> None:
    response = world.http.post("/v1/devices/register", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 413, 422)
    assert response.headers["content-type"] == MEDIA_TYPE


def test_what_was_sent_is_not_repeated(world: World) -> None:
    secret = "latcast_very-secret"
    response = world.http.post("/v1/devices/register", json={"enrolment_token": secret, "device": {}})
    assert response.status_code == 422
    assert secret not in response.text


def test_lone_surrogates_and_zero_bytes_are_refused(world: World) -> None:
    headers = {"content-type": "application/json"}
    for text_ in (b'"\\ud800"', b'"\\u0000"'):
        body = b'{"space": ' + text_ + b', "text": "x"}'
        assert world.http.post("/v1/architectures", content=body, headers=headers).status_code == 422
        item = b'{"target": "t", "items": [{"space": ' + text_ + b', "text": "x"}]}'
        assert world.http.post("/v1/predict", content=item, headers=headers).status_code in (404, 422)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OperationalError("SELECT 1", {}, Exception("database or disk is full /secret/place")), "no space left"),
        (
            OperationalError("SELECT 1", {}, Exception("server closed the connection /secret/place")),
            "cannot be reached",
        ),
        (DatabaseError("SELECT 1", {}, Exception("database disk image is malformed")), "damaged"),
        (InternalError("INSERT", {}, Exception("cannot execute INSERT in a read-only transaction")), "only be read"),
        (ProgrammingError("SELECT 1", {}, Exception('relation "target" does not exist')), "restart `latcast serve`"),
        (NotSupportedError("SELECT 1", {}, Exception("oops")), "cannot be reached"),
        (PoolTimeoutError("QueuePool limit of size 10 overflow 20 reached"), "too busy"),
    ],
)
def test_lost_database_is_503_with_its_cause_and_comes_back(
    world: World, error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(world.app.state.parts.database, "read", Mock(side_effect=error))
        response = world.http.get("/v1/targets")
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert sentence in response.json()["detail"]
    assert "secret" not in response.text
    assert world.http.get("/v1/targets").status_code == 200


@contextmanager
def read_only(world: World) -> Iterator[None]:
    """A database that takes no writes, as a standby during a failover does."""
    engine, url = world.database.engine, world.settings.url
    if engine.dialect.name == "sqlite":

        def forbid(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA query_only = ON")

        event.listen(engine, "connect", forbid)
        undo = partial(event.remove, engine, "connect", forbid)
    else:
        run_sql(url, f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on")
        reset = f"ALTER DATABASE {engine.url.database} RESET default_transaction_read_only"
        undo = partial(run_sql, url, "SET default_transaction_read_only = off", reset)
    engine.dispose()
    try:
        yield
    finally:
        undo()
        engine.dispose()


def test_a_database_that_can_only_be_read_is_503_for_writers_alone(world: World) -> None:
    agent, graph = world.agent(), world.graph()
    world.client.profile(TARGET.id, graphs=[graph])
    job = agent.lease(wait_s=0)
    assert job is not None
    body = {"lease_token": job["lease_token"], "measurement": to_plain(measurement(graph))}
    headers = {"Authorization": f"Bearer {agent.key}"}
    with read_only(world):
        response = world.http.post(f"/v1/jobs/{job['id']}/result", json=body, headers=headers)
        assert world.http.get("/v1/targets").status_code == 200
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert "can only be read now" in response.json()["detail"]
    assert agent.result(job["id"], job["lease_token"], measurement(graph))["state"] == "done"


@pytest.mark.parametrize("where", [0, 4096])
def test_a_damaged_sqlite_file_is_503(new_sqlite: str, where: int) -> None:
    with open(new_sqlite.removeprefix("sqlite:///"), "r+b") as file:
        file.seek(where)
        file.write(b"\xff" * 4096 * 100)
    app = create_app(Settings(database_url=new_sqlite, log_level="error"), reader=DirectReader(), forecaster=Mock())
    with TestClient(app, raise_server_exceptions=False) as http:
        answers = [http.get("/v1/targets"), http.post("/v1/keys", json={"scope": "admin"})]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert "damaged: restore it from a copy" in answer.json()["detail"]


def test_a_table_that_is_missing_is_503(world: World) -> None:
    with world.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE predictor RENAME TO predictor_away"))
    try:
        response = world.http.get("/v1/predictors")
    finally:
        with world.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE predictor_away RENAME TO predictor"))
    assert response.status_code == 503
    assert "restart `latcast serve`" in response.json()["detail"]
    assert world.http.get("/v1/predictors").status_code == 200


def test_mistakes_of_ours_are_500_without_their_content(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("secret internals")

    monkeypatch.setattr(world.app.state.parts.forecaster, "quality", broken, raising=False)
    monkeypatch.setattr("service.api.routes.targets.find_target", lambda *_: None)
    response = world.http.get(f"/v1/targets/{TARGET.id}/quality")
    assert response.status_code == 500
    assert response.headers["content-type"] == MEDIA_TYPE
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in response.json()["detail"]


def test_database_is_untouched_by_a_refused_write(world: World) -> None:
    world.http.post("/v1/jobs", json={"kind": "profile", "target": TARGET.id, "graphs": ["none"]})
    with world.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM job")) == 0


def test_sentences_and_places_have_an_end() -> None:
    long = problem(422, "input", "a" * 50_000 + "z")
    assert len(long["detail"]) <= 12_010
    assert long["detail"].endswith("z")
    wrong = RequestValidationError([{"loc": ("body", "k\x1b" * 100_000), "msg": "no"}])
    answer = problems._on_validation(Request({"type": "http"}), wrong)
    assert len(answer.body) < 3000
    assert b"\\u001b" not in answer.body
