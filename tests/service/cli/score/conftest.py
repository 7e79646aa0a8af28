"""A service with two imported phones, and lists of architectures for it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from latcast.client import Client
from predictors.data.importers import read_any
from profilers.search_spaces import get_space
from service.app import create_app
from service.db import tables
from service.measurements.table_import import store
from service.settings import Settings
from tests.predictors.tables import latencies
from tests.service.helpers import DirectReader

SPACE = get_space("nasbench201")


def cells(count: int, *, seed: int) -> list[str]:
    """Texts at random, some of them twice."""
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng).text for _ in range(count)]


@pytest.fixture(scope="module")
def service(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Cells of two phones, a hundred each; intervals of one were too narrow."""
    folder = tmp_path_factory.mktemp("service")
    measured = [SPACE.parse(text) for text in dict.fromkeys(cells(100, seed=1))]
    rows = [
        f"{phone},nasbench201,{cell.text},{ms!r}"
        for device, phone in enumerate(("phone", "other"))
        for cell, ms in zip(measured, latencies(measured, device), strict=True)
    ]
    (folder / "t.csv").write_text("\n".join(["target,space,text,ms", *rows]))
    shutil.copy(migrated_sqlite, folder / "latcast.db")
    settings = Settings(data_dir=folder, tick_seconds=3600, learn_seconds=0, log_level="error", rate_per_second=0)
    app = create_app(settings, reader=DirectReader())
    with TestClient(app) as http:
        database = app.state.parts.database
        store(database, read_any(folder / "t.csv", origin="ours, CC0"))
        client = Client("http://testserver", transport=http._transport)
        with database.write.begin() as session:
            phone = next(one["id"] for one in client.targets() if one["device_name"] == "phone")
            ids = [row.id for row in session.query(tables.Measurement).filter_by(target_id=phone).limit(30)]
            session.add_all(
                tables.Score(
                    target_id=phone, measurement_id=row, predictor="p", kind="universal", space="nasbench201",
                    adapted=True, forecast_ms=1.0, half_width=0.01, interval_scale=1.0, measured_ms=1.5,
                )
                for row in ids
            )  # fmt: skip
        yield client


@pytest.fixture
def connected(service: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The service, which the command finds."""

    @contextmanager
    def opened(*_: object) -> Iterator[Client]:
        yield service

    monkeypatch.setattr("service.cli.score.score.open_client", opened)
    return service


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A CSV of 230 cells, measured ones and new ones, two of them wrong."""
    texts = [*cells(60, seed=1), *cells(168, seed=2)]
    lines = [f"{place},{text}" for place, text in enumerate(texts)]
    path = tmp_path / "archs.csv"
    path.write_text("\n".join(["number,arch", *lines, "228,|nonsense|", "229,"]) + "\n")
    return path
