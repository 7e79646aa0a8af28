"""Answers that a caller has already are not sent again."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from service.api.door.entity_tags import EntityTags, is_known, tag_of
from tests.service.helpers import TARGET, World

VIEWS = ("overview", "targets", f"targets/{TARGET.id}", f"targets/{TARGET.id}/rows", f"targets/{TARGET.id}/bins",
         f"targets/{TARGET.id}/frontier", f"compare?a={TARGET.id}&b={TARGET.id}", "measurements/1", "devices", "jobs",
         f"targets/{TARGET.id}/measurements", "predictors", "session", "graphs/{graph}", "devices/bench",
         "jobs/{job}", "jobs/{job}/children")  # fmt: skip


async def answer(request: Request) -> Response:
    kind = request.path_params["kind"]
    if kind == "parts":
        return StreamingResponse(iter([b"[1", b"]"]), media_type="application/json")
    if kind == "own":
        return JSONResponse({}, headers={"etag": '"own"'})
    if kind == "text":
        return PlainTextResponse("a text")
    return JSONResponse({"kind": kind}, status_code=404 if kind == "missing" else 200)


@pytest.fixture(scope="module")
def http() -> TestClient:
    app = Starlette(routes=[Route("/{kind}", answer, methods=["GET", "POST"])])
    app.add_middleware(EntityTags)
    return TestClient(app)


def test_a_known_answer_is_not_sent_again(http: TestClient) -> None:
    first = http.get("/one")
    again = http.get("/one", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-length" not in again.headers
    assert http.get("/another", headers={"if-none-match": first.headers["etag"]}).json() == {"kind": "another"}


def test_only_whole_json_of_a_get_gets_a_tag(http: TestClient) -> None:
    assert [kind for kind in ("one", "parts", "text", "missing") if "etag" in http.get(f"/{kind}").headers] == ["one"]
    assert "etag" not in http.post("/one").headers
    assert http.get("/own").headers["etag"] == '"own"'
    assert http.get("/parts").json() == [1]


@pytest.mark.parametrize(
    ("sent", "known"),
    [(None, False), ("", False), ('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ("*", True), ('W/"ab"', False)],
)
def test_tags_are_compared_weakly_and_out_of_lists(sent: str | None, known: bool) -> None:
    assert is_known('W/"a"', sent) is known


def test_a_tag_tells_where_its_parts_end() -> None:
    assert tag_of([b"ab", b"c"]) != tag_of([b"a", b"bc"])


@pytest.mark.slow
def test_every_view_has_a_tag_and_is_not_sent_twice(measured: World) -> None:
    job = measured.http.get("/v1/jobs").json()["items"][0]
    for view in VIEWS:
        path = f"/v1/{view.format(graph=job['graph'], job=job['id'])}"
        first = measured.http.get(path)
        assert first.status_code == 200, first.text
        again = measured.http.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), view
