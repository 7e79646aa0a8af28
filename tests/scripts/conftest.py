"""The scripts' modules, which no package holds, as modules."""

import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

LIBRARY = Path(__file__).parents[2] / "scripts" / "lib"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """Loads a file of `scripts/lib` by its name."""
    return load


def load(name: str) -> ModuleType:
    spec = util.spec_from_file_location(name, LIBRARY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
