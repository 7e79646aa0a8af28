"""Writes `docs/reference/calls.md` out of the API's own description; a test says when the page is no longer its."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from predictors.foreign.reader import ReadsFeatures
from service.app import create_app
from service.forecasting.types import ForecasterLike
from service.settings import Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "calls.md"
HEAD = """# All calls of the REST API

This page is written by `scripts/docs` out of the API's own description. A running service shows it with every field at
`/docs`, and gives it as `/openapi.json`. [The REST API](api.md) explains how the calls belong together.

| call | what it does |
| --- | --- |
"""


def page() -> str:
    """The whole page as Markdown."""
    return HEAD + "".join(f"| `{method} {path}` | {text} |\n" for method, path, text in calls())


def calls() -> Iterator[tuple[str, str, str]]:
    """Method, path and first paragraph of every route, by path."""
    for path, methods in sorted(description()["paths"].items()):
        for method, operation in methods.items():
            paragraph = operation.get("description", operation["summary"]).split("\n\n")[0]
            yield method.upper(), path, " ".join(paragraph.split()).replace("|", "\\|")


def description() -> dict[str, Any]:
    """The OpenAPI description; nothing is started, so neither reader nor forecaster is needed."""
    unused = object()
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(
            Settings(data_dir=Path(folder)),
            reader=cast("ReadsFeatures", unused),
            forecaster=cast("ForecasterLike", unused),
        )
        return app.openapi()


if __name__ == "__main__":
    PAGE.write_text(page())
