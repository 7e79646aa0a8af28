"""Calls that README and docs mention exist in the API."""

import re
from pathlib import Path

import pytest

from service.app import create_app
from service.settings import Settings
from tests.docs.blocks import ROOT, pages
from tests.service.helpers import DirectReader, FakeForecaster

CALL = re.compile(r"`(GET|POST|PUT|DELETE) (/[^` ?]*)`")


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Methods and paths of the API description, without the names of parameters."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("api"), log_level="error")
    paths = create_app(settings, reader=DirectReader(), forecaster=FakeForecaster()).openapi()["paths"]
    return {(method.upper(), nameless(path)) for path, methods in paths.items() for method in methods}


def nameless(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_mentioned_calls_exist(page: Path, routes: set[tuple[str, str]]) -> None:
    mentioned = {(method, nameless(path)) for method, path in CALL.findall(page.read_text())}
    assert mentioned - routes == set()
