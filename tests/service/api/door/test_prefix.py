"""Behind a proxy's prefix every page and call is found, and redirects lead back through the proxy."""

from collections.abc import Callable

import pytest

from tests.service.conftest import World

PAGES = ("/ui/", "/ui/src/main.js", "/docs", "/docs/page.css", "/openapi.json", "/v1/targets", "/targets", "/healthz")


@pytest.mark.slow
@pytest.mark.parametrize("root_path", ["", "/latcast", "/a/b/"])
def test_every_page_is_there_whether_the_prefix_was_stripped_or_not(
    make_world: Callable[..., World], root_path: str
) -> None:
    http = make_world(root_path=root_path).http
    stripped = {page: http.get(page).status_code for page in PAGES}
    whole = {page: http.get(root_path.rstrip("/") + page).status_code for page in PAGES}
    assert stripped == whole == dict.fromkeys(PAGES, 200)


@pytest.mark.parametrize(("asked", "led_to"), [("/docs/", "/docs"), ("/v1/targets/?limit=2", "/v1/targets?limit=2")])
def test_redirects_lead_back_through_the_proxy(make_world: Callable[..., World], asked: str, led_to: str) -> None:
    for root_path in ("", "/latcast"):
        answer = make_world(root_path=root_path).http.get(asked, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, root_path + led_to)


def test_the_dashboard_is_led_to_relatively(make_world: Callable[..., World]) -> None:
    answer = make_world(root_path="/latcast").http.get("/ui", follow_redirects=False)
    assert answer.headers["location"] == "ui/"


@pytest.mark.parametrize("prefix", ["", "/latcast"], ids=["taken off", "passed on"])
def test_probes_and_former_paths_are_known_below_a_prefix(make_world: Callable[..., World], prefix: str) -> None:
    http = make_world(root_path="/latcast/").http
    assert http.get(f"{prefix}/targets").headers["link"] == '</latcast/v1/targets>; rel="successor-version"'
    probe = http.get(f"{prefix}/healthz", headers={"host": "a-load-balancer"})
    assert probe.json() == {"status": "ok"}
