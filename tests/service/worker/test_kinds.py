"""Every kind of job is done by somebody: agents, or one class of the service's own."""

from latcast.schema import JobKind
from service.api.work_watch import AGENT_KINDS
from service.db.session import Database
from service.graphs.resolver import Resolver
from service.learning.catalogue import PredictorCatalogue
from service.settings import Settings
from service.worker.kinds import service_steps
from service.worker.training.steps import TrainingSteps
from tests.service.helpers import DirectReader


def test_each_kind_has_one_place(database: Database) -> None:
    steps = service_steps(
        database,
        Settings(),
        catalogue=PredictorCatalogue(database),
        resolver=Resolver(database, DirectReader()),
    )
    kinds = [*(one.payload.kind for one in steps), TrainingSteps.payload.kind]
    assert sorted([*kinds, *AGENT_KINDS]) == sorted(JobKind)
