"""The description and its page: behind the key, out of this package alone, and behind any prefix."""

import base64
import re
from collections.abc import Callable
from urllib.parse import urljoin

import pytest

from tests.service.helpers import World

MakeWorld = Callable[..., World]
PATHS = ("/docs", "/redoc", "/openapi.json", "/docs/page.js", "/docs/page.css")


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()}


@pytest.mark.parametrize("path", PATHS)
def test_all_of_it_is_open_on_an_open_service_and_else_behind_the_key(
    keyed: tuple[World, dict[str, str]], path: str
) -> None:
    world, keys = keyed
    for headers in ({}, basic("latcast_guessed"), {"authorization": "Basic !"}, {"authorization": "Bearer x"}):
        response = world.http.get(path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic realm=")  # browsers ask for it
        assert "the key as the password" in response.json()["detail"]
    for key in keys.values():
        for headers in (basic(key), {"authorization": f"Bearer {key}"}):
            assert world.http.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_an_open_service_shows_it_to_everybody(world: World, path: str) -> None:
    assert world.http.get(path).status_code == 200


def test_a_password_opens_nothing_else(keyed: tuple[World, dict[str, str]]) -> None:
    """Browsers send passwords on behalf of any page; keys they do not."""
    world, keys = keyed
    assert world.http.get("/v1/targets", headers=basic(keys["admin"])).status_code == 401
    assert world.http.post("/v1/keys/enrolment", json={}, headers=basic(keys["admin"])).status_code == 401


def test_guessing_is_limited(make_world: MakeWorld) -> None:
    world = make_world(require_keys=True, rate_per_second=0.001, rate_burst=3)
    assert [world.http.get("/docs", headers=basic("x")).status_code for _ in range(5)] == [401, 401, 401, 429, 429]


def test_the_page_loads_nothing_from_elsewhere(world: World) -> None:
    page = world.http.get("/docs")
    assert "https://" not in page.text
    assert "http://" not in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    script = world.http.get("/docs/page.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "innerHTML" not in script.text
    assert "https://" not in script.text


def test_everything_that_the_page_asks_for_is_below_its_prefix(world: World) -> None:
    page = world.http.get("/docs").text
    asked = re.findall(r'(?:href|src)="([^"]+)"', page) + re.findall(
        r'fetch\("([^"]+)"', world.http.get("/docs/page.js").text
    )
    own = {link for link in asked if not link.startswith("data:")}
    assert {"docs/page.js", "docs/page.css", "openapi.json"} == own
    for link in own:
        below = urljoin("http://proxy.example/latcast/docs", link)
        assert below.startswith("http://proxy.example/latcast/")
        assert world.http.get(below.removeprefix("http://proxy.example/latcast")).status_code == 200


def test_without_scripts_there_is_a_link(world: World) -> None:
    page = world.http.get("/docs").text
    assert '<a href="openapi.json">' in page[page.index("<noscript>") :]


@pytest.mark.slow
def test_a_prefix_is_named_in_the_description(make_world: MakeWorld) -> None:
    assert "servers" not in make_world().http.get("/openapi.json").json()
    world = make_world(root_path="/latcast")
    assert world.http.get("/openapi.json").json()["servers"] == [{"url": "/latcast"}]
    for path in ("/v1/targets", "/latcast/v1/targets"):  # whether the proxy strips it or not
        assert world.http.get(path).status_code == 200
