"""The stack passes the conformance suite, and answers as the evidence has it."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from latcast.schema import InputError, Target
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, Query
from predictors.evaluation.metrics import median_ape
from predictors.kinds.lookup_table import LookupTablePredictor
from predictors.kinds.stack import StackPredictor
from predictors.kinds.stack.contest import Contender
from predictors.registry import load_predictor, pretrained
from predictors.testing import PredictorSuite
from predictors.testing.architectures import architecture_workload
from predictors.testing.workload import Workload
from profilers.search_spaces import get_space

TARGET = Target(device="new", backend="synthetic", backend_version="1")


class TestStackOfArchitectures(PredictorSuite):
    min_spearman = 0.85

    def make(self, **hyperparameters: Any) -> StackPredictor:
        return StackPredictor(kinds="boosted_trees+lookup_table", record_folds=0, **hyperparameters)

    def workload(self) -> Workload:
        return architecture_workload()


def rows(count: int, seed: int, target: Target = TARGET, speed: float = 1.0) -> LatencyDataset:
    """FBNet's chains on a device whose blocks cost what the published devices' do, or by a factor of their own."""
    rng = np.random.default_rng(seed)
    queries = [Query(target=target, architecture=get_space("fbnet").sample(rng)) for _ in range(count)]
    base = pretrained("universal-fbnet").predict(queries).median_ms
    return LatencyDataset(queries=queries, latency_ms=speed * base * 1.01 ** rng.standard_normal(count))


@cache
def far_off() -> LookupTablePredictor:
    """A table of a device with other costs at every place."""
    data = rows(60, 5)
    shuffled = np.random.default_rng(0).permutation(data.latency_ms)
    return LookupTablePredictor().fit(LatencyDataset(queries=data.queries, latency_ms=shuffled))


def stack(*records: float | None) -> StackPredictor:
    names = ("house", "table")
    predictors = (pretrained("universal-fbnet"), far_off())
    return StackPredictor.of(
        [Contender(name=name, predictor=one, record=record)
         for name, one, record in zip(names, predictors, records, strict=True)]
    )  # fmt: skip


def test_who_is_far_ahead_answers_alone_and_as_it_would_by_itself() -> None:
    support, test = rows(20, 1), rows(100, 2)
    adapted = stack(None, None).adapt(TARGET, support)
    alone = pretrained("universal-fbnet").adapt(TARGET, support)
    assert [standing.weight for standing in adapted.standings] == [1.0, 0.0]
    forecast, expected = adapted.predict(test.queries), alone.predict(test.queries)
    assert forecast.median_ms == pytest.approx(expected.median_ms, rel=1e-12)
    assert forecast.interval_ms()[0] == pytest.approx(expected.interval_ms()[0], rel=1e-9)
    house, table = adapted.standings
    assert house.median_ape is not None
    assert table.median_ape is not None
    assert house.median_ape < 0.05 < table.median_ape
    assert house.interval_score is not None
    assert table.interval_score is None


def test_a_record_speaks_until_there_are_rows() -> None:
    few = rows(2, 3)
    weights = [stack(*records).adapt(TARGET, few).contest_ for records in ((0.02, 0.2), (0.2, 0.02))]
    assert all(one is not None for one in weights)
    many = stack(0.2, 0.02).adapt(TARGET, rows(20, 1))
    assert many.standings[0].weight == 1.0


def test_contenders_of_like_worth_are_better_together() -> None:
    support, test = rows(30, 1, speed=2.0), rows(200, 2, speed=2.0)
    halves = [LookupTablePredictor().fit(rows(40, seed)) for seed in (11, 12)]
    both = StackPredictor.of([Contender(name=str(place), predictor=one) for place, one in enumerate(halves)])
    adapted = both.adapt(TARGET, support)
    error = median_ape(test.latency_ms, adapted.predict(test.queries).median_ms)
    singles = [
        median_ape(test.latency_ms, one.adapt(TARGET, support).predict(test.queries).median_ms) for one in halves
    ]
    assert sum(standing.weight for standing in adapted.standings) == pytest.approx(1)
    assert error <= 1.03 * min(singles)


def test_who_cannot_be_adapted_takes_no_part_and_says_why() -> None:
    cells = Contender(name="cells", predictor=pretrained("universal-nasbench201"))
    both = StackPredictor.of([cells, Contender(name="chains", predictor=pretrained("universal-fbnet"))])
    refused, adapted = both.adapt(TARGET, rows(5, 1)).standings
    assert (refused.weight, adapted.weight) == (0.0, 1.0)
    assert "nasbench201" in refused.refused
    with pytest.raises(InputError, match="nasbench201"):
        StackPredictor.of([cells]).adapt(TARGET, rows(5, 1))


def test_the_artifact_of_an_adapted_stack_has_what_answers_and_how_all_did() -> None:
    adapted, queries = stack(0.02, 0.2).adapt(TARGET, rows(20, 1)), rows(5, 9).queries
    artifact = Artifact.from_bytes(adapted.to_artifact().to_bytes())
    assert list(artifact.arrays) == ["member.0"]
    again = load_predictor(artifact)
    assert isinstance(again, StackPredictor)
    assert again.standings == adapted.standings
    assert again.predict(queries).median_ms.tolist() == adapted.predict(queries).median_ms.tolist()


@pytest.mark.slow
def test_records_are_errors_on_held_out_targets() -> None:
    targets = [Target(device=f"device{place}", backend="synthetic", backend_version="1") for place in range(3)]
    parts = [rows(40, place, target, speed=1.0 + place) for place, target in enumerate(targets)]
    data = LatencyDataset(
        queries=[query for part in parts for query in part.queries],
        latency_ms=np.concatenate([part.latency_ms for part in parts]),
    )
    fitted = StackPredictor(kinds="lookup_table+flops", record_folds=3).fit(data)
    records = {one.name: one.record for one in fitted.contenders}
    assert records["lookup_table"] is not None
    assert 0.005 < records["lookup_table"] < 0.2
    assert StackPredictor(kinds="lookup_table", record_folds=0).fit(data).contenders[0].record is None


def test_kinds_that_do_not_learn_from_the_rows_take_no_part() -> None:
    with pytest.raises(InputError, match="joined by"):
        StackPredictor(kinds="+")
    few = rows(5, 1)
    with pytest.raises(InputError, match="None of the kinds universal"):
        StackPredictor(kinds="universal", record_folds=0).fit(few)
    fitted = StackPredictor(kinds="universal+lookup_table", record_folds=0).fit(few)
    assert [one.name for one in fitted.contenders] == ["lookup_table"]


class Describing(LookupTablePredictor):
    """A table that asks for networks by which it describes a device."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = keys

    def references(self) -> tuple[str, ...]:
        return self.keys


def test_a_stack_asks_for_what_any_contender_describes_devices_by_in_order_and_once() -> None:
    parts = (Describing("zoo:b", "zoo:a"), far_off(), Describing("zoo:a", "zoo:c"))
    both = StackPredictor.of([Contender(name=str(place), predictor=one) for place, one in enumerate(parts)])
    assert both.references() == ("zoo:b", "zoo:a", "zoo:c")
    assert stack(None, None).references() == ()


def test_a_stack_reads_the_rows_of_training_as_all_of_its_kinds_do() -> None:
    learnt = StackPredictor(kinds="universal+help").training_capabilities()
    assert {"record", "costs", "kernels", "flat"} <= learnt.features
    assert learnt.useful_evidence == {"microbench", "reference_latency_ms"}
    assert not learnt.evidence, "the others do without what one of them lacks"
    assert "record" not in StackPredictor().training_capabilities().features


def test_a_kind_that_lacks_its_evidence_takes_no_part() -> None:
    data = architecture_workload().train
    bare = LatencyDataset(queries=data.queries, latency_ms=data.latency_ms)
    fitted = StackPredictor(kinds="help+lookup_table", record_folds=0).fit(bare)
    assert [one.name for one in fitted.contenders] == ["lookup_table"]


def with_graphs(data: LatencyDataset) -> LatencyDataset:
    """The rows as a service has them of texts that were measured: with a graph of each, too."""
    queries = [Query(target=query.target, architecture=query.architecture, graph=query.graph) for query in data.queries]
    return LatencyDataset(queries=queries, latency_ms=data.latency_ms)


@pytest.mark.slow
def test_contenders_read_alike_where_rows_have_texts_and_graphs() -> None:
    """Trees would read graphs of such rows, the house its texts, and nobody could ask both with one query."""
    data = with_graphs(rows(24, 1))
    fitted = StackPredictor(record_folds=0).fit(data)
    assert [one.name for one in fitted.contenders] == ["universal", "operator_costs", "boosted_trees", "lookup_table"]
    assert (fitted.fitted_capabilities().inputs, fitted.fitted_capabilities().spaces) == ({"architecture"}, ("fbnet",))
    test = rows(30, 2)
    for predictor in (fitted, fitted.adapt(TARGET, rows(10, 3))):
        assert median_ape(test.latency_ms, predictor.predict(test.queries).median_ms) < 0.2


def test_who_reads_other_networks_than_the_first_takes_no_part() -> None:
    fitted = StackPredictor(kinds="lookup_table+kernel_sum+boosted_trees", record_folds=0).fit(rows(24, 1))
    assert [one.name for one in fitted.contenders] == ["lookup_table", "boosted_trees"]
    assert fitted.fitted_capabilities().inputs == {"architecture"}
