"""Import floors of each package: how many rooms stand on each other, and which import each other in a circle.

A room is a file or folder at the top of a package. `__init__` and the former paths of moved modules are no rooms.
Imports count wherever they stand, in functions and under `TYPE_CHECKING` too: a reader follows those just the same.
"""

import ast
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {"latcast": 7, "profilers": 7, "predictors": 7, "service": 10}
"""How many floors each package may have."""
FILES = 8
"""How many Python files may lie at the top of a package."""

Edges = Mapping[str, set[str]]
"""What each name imports, all of the same package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What the imports of one package look like.

    Attributes:
        package: its name.
        rooms: floor of each room, 1 for those that import no other.
        room_circles: rooms that import each other, directly or through others.
        module_circles: modules that do.
        files: number of Python files at its top, `__init__.py` included.
    """

    package: str
    rooms: dict[str, int]
    room_circles: list[list[str]]
    module_circles: list[list[str]]
    files: int

    @property
    def height(self) -> int:
        """The number of floors."""
        return max(self.rooms.values(), default=0)

    def violations(self) -> list[str]:
        """The rules that the package breaks, each as a sentence."""
        said = []
        if self.height > FLOORS[self.package]:
            said.append(f"{self.package} has {self.height} floors; {FLOORS[self.package]} are allowed.")
        if self.files > FILES:
            said.append(f"{self.package} has {self.files} Python files at its top; {FILES} are allowed.")
        circles = [*self.room_circles, *self.module_circles]
        return [*said, *(f"These import each other in a circle: {', '.join(names)}." for names in circles)]


def survey(root: Path = ROOT, packages: Iterable[str] = tuple(FLOORS)) -> list[Floors]:
    """Floors of the packages below `root`, which has to be importable (its folder on `sys.path`)."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    return [package_floors(root, package, module_imports(graph, package)) for package in packages]


def module_imports(graph: grimp.ImportGraph, package: str) -> dict[str, set[str]]:
    """Modules of a package with those of the same package that they import."""
    inside = {name for name in graph.modules if name == package or name.startswith(f"{package}.")}
    return {name: graph.find_modules_directly_imported_by(name) & inside - {name} for name in sorted(inside)}


def package_floors(root: Path, package: str, modules: Edges) -> Floors:
    """The survey of one package."""
    rooms = room_imports(root, modules)
    return Floors(
        package=package,
        rooms=heights(rooms),
        room_circles=circles(rooms),
        module_circles=circles(modules),
        files=len(list((root / package).glob("*.py"))),
    )


def room_imports(root: Path, modules: Edges) -> dict[str, set[str]]:
    """Rooms with the rooms that they import."""
    rooms: dict[str, set[str]] = {}
    for module, imported in modules.items():
        room = room_of(module)
        if "." in room and not is_former_path(root, room):
            rooms.setdefault(room, set()).update({room_of(other) for other in imported} - {room})
    return {room: imported & rooms.keys() for room, imported in rooms.items()}


def room_of(module: str) -> str:
    """The room of a module: `service.db` for `service.db.tables`."""
    return ".".join(module.split(".")[:2])


def is_former_path(root: Path, module: str) -> bool:
    """Whether a module only says where its contents have moved."""
    path = root / (module.replace(".", "/") + ".py")
    return path.is_file() and (ast.get_docstring(ast.parse(path.read_text())) or "").startswith("The former path of ")


def circles(edges: Edges) -> list[list[str]]:
    """Groups of names that reach each other."""
    below = {name: reachable(edges, name) for name in edges}
    groups = {tuple(sorted(other for other in below[name] if name in below[other])) for name in edges}
    return sorted(list(group) for group in groups if group)


def reachable(edges: Edges, start: str) -> set[str]:
    """Every name that `start` imports, directly or through others; itself if it is in a circle."""
    reached: set[str] = set()
    open_names = [start]
    while open_names:
        new = edges[open_names.pop()] - reached
        reached |= new
        open_names.extend(new)
    return reached


def heights(edges: Edges) -> dict[str, int]:
    """The floor of each name; those in one circle stand on one floor."""
    below = {name: reachable(edges, name) for name in edges}
    floors: dict[str, int] = {}
    for name in sorted(edges, key=lambda each: len(below[each] | {each})):
        lower = [other for other in below[name] if name not in below[other]]
        floors[name] = 1 + max((floors[other] for other in lower), default=0)
    return floors


def described(floors: Floors) -> list[str]:
    """Lines that show a package from the top floor down."""
    lines = [
        f"{floors.package}: {floors.height} floors of at most {FLOORS[floors.package]}, {floors.files} files at its top"
    ]
    for height in range(floors.height, 0, -1):
        names = sorted(room.split(".")[1] for room, floor in floors.rooms.items() if floor == height)
        lines.append(f"  {height:2}  {' '.join(names)}")
    lines += [f"  circle of rooms: {' '.join(names)}" for names in floors.room_circles]
    return [*lines, *(f"  circle of modules: {' '.join(names)}" for names in floors.module_circles)]


def main(arguments: list[str]) -> int:
    """Prints the floors; with `--check`, what breaks the rules too, and fails if anything does."""
    sys.path.insert(0, str(ROOT))
    surveyed = survey()
    for floors in surveyed:
        print(*described(floors), sep="\n")
    violations = [sentence for floors in surveyed for sentence in floors.violations()]
    if "--check" not in arguments:
        return 0
    print(*violations, sep="\n", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
