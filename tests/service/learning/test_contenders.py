"""Bases that read the same networks contend; those that read others do not."""

import numpy as np

from predictors.base import LatencyDataset, Query
from predictors.kinds.lookup_table import LookupTablePredictor
from predictors.kinds.stack import StackPredictor
from predictors.registry import pretrained
from profilers.search_spaces import get_space
from service.learning.catalogue import StoredPredictor
from service.learning.contenders import MOST_CONTENDERS, bases_to_adapt, leading, unwrapped
from service.measurements.lookup import GRAPHS
from tests.service.helpers import TARGET

CELLS, CHAINS, ANY = (
    StoredPredictor(id=name, predictor=pretrained(f"universal-{name}")) for name in ("nasbench201", "fbnet", "graphs")
)


def rows(count: int, seed: int) -> LatencyDataset:
    rng = np.random.default_rng(seed)
    queries = [Query(target=TARGET, architecture=get_space("nasbench201").sample(rng)) for _ in range(count)]
    return LatencyDataset(queries=queries, latency_ms=CELLS.predictor.predict(queries).median_ms * 3)


def table(seed: int, *, wrong: bool) -> StoredPredictor:
    data = rows(60, seed)
    latency_ms = np.random.default_rng(seed).permutation(data.latency_ms) if wrong else data.latency_ms
    fitted = LookupTablePredictor().fit(LatencyDataset(queries=data.queries, latency_ms=latency_ms))
    return StoredPredictor(id=f"table-{seed}", predictor=fitted)


def test_a_base_that_reads_a_space_alone_is_adapted_alone() -> None:
    assert [base.id for base in bases_to_adapt([CELLS, CHAINS, ANY], "nasbench201")] == ["nasbench201", "graphs"]
    assert [base.id for base in bases_to_adapt([CELLS, CHAINS, ANY], GRAPHS)] == ["graphs"]


def test_several_come_first_as_a_stack_and_each_by_itself_after_that() -> None:
    stack, *others = bases_to_adapt([table(1, wrong=False), CELLS, CHAINS, ANY], "nasbench201")
    assert isinstance(stack.predictor, StackPredictor)
    assert [one.name for one in stack.predictor.contenders] == ["table-1", "nasbench201"]
    assert stack.id == "table-1"
    assert [base.id for base in others] == ["table-1", "nasbench201", "graphs"]


def test_who_is_believed_alone_answers_by_itself_under_its_own_name() -> None:
    stack = bases_to_adapt([table(1, wrong=True), CELLS], "nasbench201")[0]
    adapted = stack.predictor.adapt(TARGET, rows(15, 2))
    answering, standings = unwrapped(adapted)
    assert answering.kind == "universal"
    assert [(one.name, one.weight) for one in standings] == [("table-1", 0.0), ("nasbench201", 1.0)]
    assert leading(stack, adapted) == CELLS
    assert unwrapped(answering) == (answering, ())
    assert leading(CELLS, answering) is CELLS


def test_no_more_contend_than_are_adapted_in_time() -> None:
    many = [table(seed, wrong=False) for seed in range(MOST_CONTENDERS + 2)]
    stack = bases_to_adapt(many, "nasbench201")[0].predictor
    assert isinstance(stack, StackPredictor)
    assert len(stack.contenders) == MOST_CONTENDERS
