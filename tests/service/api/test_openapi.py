"""Whatever fits or does not fit the description: never a 5xx, and answers are as described."""

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from service.app import create_app
from service.db.session import create_engine_for, upgrade
from service.settings import Settings
from tests.service.helpers import DirectReader, FakeForecaster

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
LOCKS_OUT = "POST /v1/keys"
"""The first key would end the open service."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    own = Settings(
        data_dir=tmp_path_factory.mktemp("openapi"), log_level="error", rate_per_second=0, max_lease_wait_s=0.01
    )
    engine = create_engine_for(own)
    upgrade(engine)
    engine.dispose()
    return create_app(own, reader=DirectReader(), forecaster=FakeForecaster())


@pytest.mark.slow
def test_no_call_is_answered_with_a_server_error(app: FastAPI) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        if operation.label != LOCKS_OUT:
            try_out(operation)


def try_out(operation: Any) -> None:
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    check()
