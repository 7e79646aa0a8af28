"""Whatever fits or does not fit the description: never a 5xx, and answers are as described."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from service.app import create_app
from service.db.session import create_engine_for, upgrade
from service.settings import Settings
from tests.service.helpers import DirectLoader, FakeForecaster


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    own = Settings(data_dir=folder, log_level="error", rate_per_second=0, max_lease_wait_s=0.01)
    engine = create_engine_for(own)
    upgrade(engine)
    engine.dispose()
    yield create_app(own, loader=DirectLoader(), forecaster=FakeForecaster())


@pytest.fixture
def api_schema(app: FastAPI) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.exclude(path="/keys", method="POST").parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_call_is_answered_with_a_server_error(case: Any) -> None:
    case.call_and_validate(checks=[not_a_server_error, content_type_conformance, response_schema_conformance])
