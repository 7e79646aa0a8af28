"""Who answers for a network: an adaptation that reads its text, one to graphs, the base, or nobody with a sentence."""

from collections.abc import Callable, Iterator

import pytest

from latcast.errors import ConflictError
from latcast.schema import Target
from predictors.base import Predictor
from predictors.registry import pretrained
from service.db import records
from service.db.session import Database, create_engine_for
from service.forecasting.selection import PredictorSelection
from service.graphs.resolver import Resolver
from service.learning.catalogue import ServedPredictor, StoredPredictor, TargetPredictors
from service.measurements.lookup import GRAPHS
from service.settings import Settings
from tests.service.helpers import TARGET, DirectReader

IMPORTED = Target(device="phone", backend="imported", origin="ours, CC0", options={"space": "nasbench201"})
CELLS, OTHER_CELLS, ANY_GRAPH = map(pretrained, ("universal-nasbench201", "universal-fbnet", "universal-graphs"))
BASES = tuple(StoredPredictor(id=name, predictor=one) for name, one in (("cells", CELLS), ("graphs", ANY_GRAPH)))


@pytest.fixture
def selection(new_sqlite: str) -> Iterator[PredictorSelection]:
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    with database.write.begin() as session:
        session.add_all([records.target_row(TARGET, None), records.target_row(IMPORTED, None)])
    yield PredictorSelection(database, Resolver(database, DirectReader()))
    database.close()


def candidates(adapted: Predictor | None = None, *, target: Target = TARGET, bases: int = 2) -> TargetPredictors:
    served = None if adapted is None else ServedPredictor(id="asked for", predictor=adapted, adapted=True)
    return TargetPredictors(target=target, adapted=served, bases=BASES[:bases])


@pytest.mark.parametrize(
    ("adapted", "space", "expected"),
    [
        (None, GRAPHS, ["graphs"]),
        (None, "nasbench201", ["graphs"]),  # of cells there are no rows to adapt to
        (CELLS, "nasbench201", ["asked for"]),
        (ANY_GRAPH, "nasbench201", ["asked for", "graphs"]),
        (OTHER_CELLS, GRAPHS, ["graphs"]),
    ],
)
def test_the_first_choice_comes_first(
    selection: PredictorSelection, adapted: Predictor | None, space: str, expected: list[str]
) -> None:
    assert [one.id for one in selection.of(candidates(adapted), space)] == expected


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: candidates(bases=1), "latcast adapt --target"),
        (lambda: candidates(target=IMPORTED), "imported from ours, CC0"),
    ],
)
def test_nobody_says_what_to_do(
    selection: PredictorSelection, make: Callable[[], TargetPredictors], words: str
) -> None:
    with pytest.raises(ConflictError, match=words):
        selection.of(make(), GRAPHS)
