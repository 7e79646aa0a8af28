"""Fixtures for every test; nothing here may import a runtime before the environment is set."""

import os
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

settings.register_profile("untimed", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("untimed")

LIBRARY = Path(__file__).parents[1] / "scripts" / "lib"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """Loads a file of `scripts/lib`, which no package holds, by its name."""
    return load


def load(name: str) -> ModuleType:
    spec = util.spec_from_file_location(name, LIBRARY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
