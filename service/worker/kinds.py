"""Which class does which kind of the service's own jobs."""

from typing import Any

from service.db.session import Database
from service.graphs.resolver import Resolver
from service.jobs.steps import Steps
from service.learning.adaptation import AdaptationSteps
from service.learning.catalogue import PredictorCatalogue
from service.settings import Settings

__all__ = ["service_steps"]


def service_steps(
    database: Database, settings: Settings, *, catalogue: PredictorCatalogue, resolver: Resolver
) -> list[Steps[Any]]:
    """The steps of every kind of job that the service itself does; a new kind is one more entry."""
    return [AdaptationSteps(database, settings, catalogue=catalogue, resolver=resolver)]
