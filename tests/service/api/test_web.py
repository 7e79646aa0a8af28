"""The dashboard's files: served to everybody, under a strict policy, behind any prefix, small at the start."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import pytest

from service.api.web import policy, web_dir
from tests.service.helpers import World

MOST_INITIAL_BYTES = 60_000


def test_the_bare_address_leads_to_the_dashboard(world: World) -> None:
    for path in ("/", "/ui"):
        response = world.http.get(path, follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (307, "ui/")
    assert urljoin("https://host/prefix/", "ui/") == "https://host/prefix/ui/"


def test_files_need_no_key_and_hold_no_address(make_world: Callable[..., World]) -> None:
    page = make_world(require_keys=True).http.get("/ui/")
    assert page.status_code == 200
    assert not re.search(r"(?:src|href)=\"(?:/|[a-z]+:)", page.text), "addresses are relative, so that prefixes hold"


def test_the_policy_allows_the_own_origin_and_the_import_map(world: World) -> None:
    headers = world.http.get("/ui/").headers
    assert "script-src 'self' 'sha256-" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert policy(b"<script>1</script>") != policy(b"<script>2</script>")


def test_unchanged_files_are_not_sent_again(world: World) -> None:
    first = world.http.get("/ui/src/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = world.http.get("/ui/src/main.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/ui/nothing.js", "/ui/../service/app.py", "/ui/%2e%2e/pyproject.toml"])
def test_what_is_no_file_of_the_dashboard_is_not_there(world: World, path: str) -> None:
    response = world.http.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_the_start_is_small() -> None:
    """All that is loaded before a page is chosen, packed as it is sent."""
    wanted, seen = ["src/main.js"], set()
    vendored = dict(re.findall(r'"([^"]+)": "\./(vendor/[^"]+)"', (web_dir() / "index.html").read_text()))
    while wanted:
        name = wanted.pop()
        if name not in seen:
            seen.add(name)
            text = (web_dir() / name).read_text()
            found = re.findall(r'(?:from|import)\s*"([^"]+)"', text)
            wanted += [vendored.get(one) or str(resolved(name, one)) for one in found]
    assert set(vendored.values()) <= seen
    assert sum(len(gzip.compress((web_dir() / name).read_bytes(), 6)) for name in seen) <= MOST_INITIAL_BYTES


def resolved(importer: str, name: str) -> Path:
    return Path(urljoin(f"/{importer}", name).lstrip("/"))
