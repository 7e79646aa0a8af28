"""The picture of the architecture, compared with the imports that there are."""

import re
from itertools import product
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("service", "predictors", "profilers", "latcast")
Edges = set[tuple[str, str]]


@pytest.fixture(scope="module")
def picture() -> str:
    page = (ROOT / "docs" / "architecture.md").read_text()
    (block,) = re.findall(r"^```mermaid\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    return block


@pytest.fixture(scope="module")
def rooms(picture: str) -> dict[str, str]:
    """Names of the picture's boxes → the rooms that they stand for."""
    return {name: path.replace("/", ".") for name, path in re.findall(r'(\w+)\["([\w/]+)"\]', picture)}


@pytest.fixture(scope="module")
def arrows(picture: str, rooms: dict[str, str]) -> Edges:
    """Arrows between rooms that stand for imports."""
    drawn = re.findall(r"^ *([\w& ]+?) --> ([\w& ]+)$", picture, flags=re.MULTILINE)
    pairs = [pair for left, right in drawn for pair in product(left.split(" & "), right.split(" & "))]
    return {(rooms[source], rooms[target]) for source, target in pairs}


@pytest.fixture(scope="module")
def imports(rooms: dict[str, str]) -> Edges:
    """Direct imports between the drawn rooms, wherever they stand in a module."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    for room in rooms.values():
        graph.squash_module(room)
    return {(room, other) for room in rooms.values() for other in graph.find_modules_directly_imported_by(room)}


def reached(arrows: Edges, start: str) -> set[str]:
    """Rooms that arrows lead to from `start`."""
    below = {target for source, target in arrows if source == start}
    return below.union(*(reached(arrows, room) for room in below))


def test_boxes_are_rooms(rooms: dict[str, str]) -> None:
    assert len(rooms) > 20
    missing = [room for room in rooms.values() if not exists(room)]
    assert missing == []


def exists(room: str) -> bool:
    path = ROOT / room.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_each_arrow_is_an_import(arrows: Edges, imports: Edges) -> None:
    assert sorted(arrows - imports) == []


def test_no_import_goes_against_the_arrows(rooms: dict[str, str], arrows: Edges, imports: Edges) -> None:
    allowed = {(room, other) for room in rooms.values() for other in reached(arrows, room)}
    drawn = {(source, target) for source, target in imports if source != target and target in rooms.values()}
    assert sorted(drawn - allowed) == []


def test_http_is_no_import(picture: str, rooms: dict[str, str], imports: Edges) -> None:
    calls = re.findall(r"(\w+) -\. HTTP \.-> (\w+)", picture)
    assert calls == [("client", "api")]
    assert not {(rooms[source], rooms[target]) for source, target in calls} & imports


def test_arrows_lead_down_the_layers_of_the_packages(arrows: Edges) -> None:
    floors = [(PACKAGES.index(source.split(".")[0]), PACKAGES.index(target.split(".")[0])) for source, target in arrows]
    assert all(upper <= lower for upper, lower in floors)
