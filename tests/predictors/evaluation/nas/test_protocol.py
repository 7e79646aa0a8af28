"""Who sees which rows of a table, by each protocol."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.base import Capabilities, Query
from predictors.data.importers.help import LatencyTable, read_table
from predictors.evaluation.nas.protocol import Choice, pool_and_test, split_target, training_rows, validation_rows
from predictors.features.references import reference_key
from predictors.kinds.lookup_table import LookupTablePredictor
from tests.predictors.tables import write_cells


class Describing(LookupTablePredictor):
    """Needs reference latencies."""

    capabilities = Capabilities(
        inputs=frozenset({"architecture"}), evidence=frozenset({"reference_latency_ms"}), empty_support=True
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> LatencyTable:
    folder = tmp_path_factory.mktemp("tables")
    write_cells(folder)
    return read_table(folder, "nasbench201")


def texts(queries: Any) -> set[str]:
    return {query.architecture.text for query in queries}


def split(table: LatencyTable, predictor: Any, *, protocol: str = "full", seed: int = 0, shots: int = 20) -> Any:
    choice = Choice(device="raspi4", seed=seed, sampler="random", shots=shots)
    return split_target(table, predictor, choice, protocol=protocol, samples=200)


def test_every_architecture_is_measured_or_forecast(table: LatencyTable) -> None:
    result = split(table, LookupTablePredictor())
    assert len(result.support) == 20
    assert len(result.test) == len(table) - 20
    assert texts(result.support.queries).isdisjoint(texts(result.test.queries))
    assert result.evidence is None


@pytest.mark.parametrize("shots", [10, 20])
def test_references_are_paid_for(table: LatencyTable, shots: int) -> None:
    result = split(table, Describing(), shots=shots)
    assert result.evidence is not None
    references = {reference_key(table.architectures[row]) for row in table.references}
    assert set(result.evidence.reference_latency_ms) == references
    assert len(result.support) == shots - 10
    assert len(result.test) == len(table) - shots
    assert not {f"nasbench201:{text}" for text in texts(result.test.queries)} & references
    with pytest.raises(InputError, match="too few"):
        split(table, Describing(), shots=9)


def test_seeds_vary_the_samples_and_repeat_themselves(table: LatencyTable) -> None:
    first, again, other = (split(table, LookupTablePredictor(), seed=seed) for seed in (0, 0, 1))
    assert texts(first.support.queries) == texts(again.support.queries)
    assert texts(first.support.queries) != texts(other.support.queries)


def test_the_protocol_of_help_trims_both_tails(table: LatencyTable) -> None:
    column = table.column("raspi4")
    pool, test = pool_and_test(table, "raspi4", protocol="help", samples=200)
    assert len(pool) == 160
    assert pool.max() < 200 <= test.min()
    assert len(test) == 160
    for rows, start, stop in ((pool, 0, 200), (test, 200, 400)):
        outside = np.setdiff1d(np.arange(start, stop), rows)
        low, high = column[rows].min(), column[rows].max()
        assert ((column[outside] <= low) | (column[outside] >= high)).all()
    result = split(table, LookupTablePredictor(), protocol="help")
    assert texts(result.support.queries) <= {table.architectures[row].text for row in pool}
    assert texts(result.test.queries) == {table.architectures[row].text for row in test}


def test_sources_contribute_as_many_rows_as_asked(table: LatencyTable) -> None:
    devices = ("1080ti_1", "samsung_s7")
    rows = training_rows(table, devices, protocol="full", samples=50, seed=3, references=True)
    assert [len(part) for part in rows.targets().values()] == [50, 50]
    assert all(len(expected.reference_latency_ms) == 10 for expected in rows.evidence.values())
    again = training_rows(table, devices, protocol="full", samples=50, seed=3, references=False)
    assert texts(again.queries) == texts(rows.queries)
    assert again.evidence == {}
    first = training_rows(table, devices, protocol="help", samples=50, seed=3, references=False)
    assert [query.architecture for query in first.queries[:50]] == list(table.architectures[:50])


def test_validation_rows_are_of_other_architectures(table: LatencyTable) -> None:
    rows = validation_rows(table, ("titanx_1", "gold_6240"), samples=200)
    assert rows is not None
    assert texts(rows.queries) <= {architecture.text for architecture in table.architectures[200:]}
    assert validation_rows(table, (), samples=200) is None


def test_a_table_without_references_says_so(tmp_path: Path) -> None:
    write_cells(tmp_path, count=60, devices=("raspi4",))
    (tmp_path / "nasbench201" / "hardware_embedding_index.pt").unlink()
    with pytest.raises(InputError, match="reference"):
        split(read_table(tmp_path, "nasbench201"), Describing())


def test_queries_build_their_graph_once_for_all_devices(table: LatencyTable) -> None:
    rows = training_rows(table, ("1080ti_1", "samsung_s7"), protocol="help", samples=1, seed=0, references=False)
    first, second = rows.queries
    assert isinstance(first, Query)
    assert first.graph is second.graph
