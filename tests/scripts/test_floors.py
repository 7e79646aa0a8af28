"""`scripts/floors`: which room stands on which, and the rules that it checks."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def floors(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("floors")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of three floors with a circle of modules in its middle room and a former path."""
    files = {
        "__init__.py": "",
        "top.py": "from rooms.middle import one\n",
        "old.py": '"""The former path of `rooms.bottom`."""\nfrom rooms.top import *\n',
        "middle/__init__.py": "",
        "middle/one.py": "from rooms.middle import two\n",
        "middle/two.py": "def late():\n    from rooms.middle import one\n    from rooms import bottom\n",
        "bottom.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "rooms" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_rooms_circles_and_files_of_a_package(floors: ModuleType, house: Path) -> None:
    (surveyed,) = floors.survey(house, ["rooms"])
    assert surveyed.rooms == {"rooms.bottom": 1, "rooms.middle": 2, "rooms.top": 3}
    assert surveyed.height == 3
    assert surveyed.room_circles == []
    assert surveyed.module_circles == [["rooms.middle.one", "rooms.middle.two"]]
    assert surveyed.files == 4


def test_violations_name_what_is_wrong(floors: ModuleType, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "FLOORS", {"rooms": 2})
    monkeypatch.setattr(floors, "FILES", 3)
    (surveyed,) = floors.survey(house, ["rooms"])
    assert surveyed.violations() == [
        "rooms has 3 floors; 2 are allowed.",
        "rooms has 4 Python files at its top; 3 are allowed.",
        "These import each other in a circle: rooms.middle.one, rooms.middle.two.",
    ]
    assert "  circle of modules: rooms.middle.one rooms.middle.two" in floors.described(surveyed)


def test_names_in_a_circle_share_a_floor(floors: ModuleType) -> None:
    edges = {"top": {"a"}, "a": {"b"}, "b": {"a", "low"}, "low": set()}
    assert floors.circles(edges) == [["a", "b"]]
    assert floors.heights(edges) == {"low": 1, "a": 2, "b": 2, "top": 3}
