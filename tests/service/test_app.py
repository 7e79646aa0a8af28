"""The application as a whole: its description, its parts, and what it closes."""

import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from latcast.schema import LatcastError
from predictors.foreign.reader import ForeignReader
from profilers.onnx_graph.isolated.pool import ForeignModel
from service.app import create_app
from service.settings import Settings
from tests.service.helpers import FakeForecaster, World, model


def test_description_names_every_error(world: World) -> None:
    description = world.http.get("/openapi.json").json()
    assert "application/problem+json" in str(description["paths"]["/v1/predict"]["post"]["responses"]["4XX"])


def test_everything_is_closed_when_the_application_ends(new_sqlite: str, tmp_path: Path) -> None:
    settings = Settings(database_url=new_sqlite, data_dir=tmp_path, log_level="error", tick_seconds=0.01)
    app = create_app(settings)
    parts = app.state.parts
    with TestClient(app) as http:
        assert http.get("/readyz").status_code == 200
        headers = {"content-type": "application/octet-stream"}
        assert http.post("/v1/graphs", content=model(), headers=headers).status_code == 201
        running = {thread.name for thread in threading.enumerate()}
        assert {"leases", "jobs"} <= running
    assert not {"leases", "jobs"} & {thread.name for thread in threading.enumerate()}
    with pytest.raises(LatcastError):
        parts.reader.read(ForeignModel(content=model()), [])


def test_a_loader_that_was_given_is_not_closed(new_sqlite: str, tmp_path: Path) -> None:
    settings = Settings(database_url=new_sqlite, data_dir=tmp_path, log_level="error")
    with ForeignReader(workers=1) as reader:
        with TestClient(create_app(settings, reader=reader, forecaster=FakeForecaster())):
            pass
        assert reader.read(ForeignModel(content=model()), []).hash


def test_errors_are_described_once_for_all_routes(world: World) -> None:
    description = world.app.openapi()
    for path, operations in description["paths"].items():
        for operation in operations.values():
            assert "4XX" in operation["responses"], path
