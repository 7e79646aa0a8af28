"""The page of all calls is the API's own."""

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def reference(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("api_reference")


def test_page_is_what_the_api_says_today(reference: ModuleType) -> None:
    assert reference.PAGE.read_text() == reference.page(), "scripts/docs writes the page again"


def test_page_has_calls_with_what_they_do(reference: ModuleType) -> None:
    calls = {(method, path): text for method, path, text in reference.calls()}
    assert len(calls) > 30
    assert calls["POST", "/v1/predict"].startswith("Forecast latencies on a target")
    assert all(text and "\n" not in text for text in calls.values())
