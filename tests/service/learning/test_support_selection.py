"""Which measured networks a predictor is adapted to: chosen alike in every process, and never degenerate ones."""

import numpy as np
import pytest

from latcast.schema import Architecture, InputError, Target
from predictors.base import LatencyDataset, Query
from predictors.features.references import reference_key
from predictors.kinds.lookup_table import LookupTablePredictor
from predictors.kinds.stack import StackPredictor
from predictors.kinds.stack.contest import Contender
from predictors.registry import pretrained
from profilers.search_spaces import get_space
from service.db import records, tables
from service.db.session import Database
from service.graphs.resolver import Resolver
from service.learning.catalogue import StoredPredictor
from service.learning.support_selection import (
    MOST_ROWS,
    _references,
    adapted_to,
    choose_support,
    default_support,
)
from service.measurements.lookup import GRAPHS, MeasuredNetwork, measured_networks
from tests.predictors.tables import latencies
from tests.service.helpers import DirectReader

SPACE = get_space("nasbench201")
TARGET = Target(device="phone", backend="imported", origin="ours, CC0", options={"space": "nasbench201"})
BASE = StoredPredictor(id="cells", predictor=pretrained("universal-nasbench201"))
DEGENERATE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def cells(count: int) -> list[str]:
    rng = np.random.default_rng(3)
    distinct: dict[str, None] = {}
    while len(distinct) < count:
        drawn = SPACE.sample(rng)
        if not SPACE.is_degenerate(drawn):
            distinct[drawn.text] = None
    return list(distinct)


@pytest.fixture
def resolver(database: Database) -> Resolver:
    return Resolver(database, DirectReader())


def fill(database: Database, texts: list[str]) -> list[MeasuredNetwork]:
    """Rows of a public table, one for each text."""
    milliseconds = latencies([SPACE.parse(text) for text in texts], 3)
    with database.write.begin() as session:
        session.add(records.target_row(TARGET, None))
        session.flush()
        for text, ms in zip(texts, milliseconds, strict=True):
            architecture = tables.Architecture(space=SPACE.name, text=text)
            session.add(architecture)
            session.flush()
            session.add(
                tables.Measurement(
                    target_id=TARGET.id, architecture_id=architecture.id, median_ms=float(ms), statistic="reported",
                    settings={}, feeds=[], runs=[], sentinel_ms=[], protocol_version=1,
                )
            )  # fmt: skip
    with database.read() as session:
        return measured_networks(session, TARGET, SPACE.name)


def test_few_rows_are_all_taken_but_degenerate_ones(database: Database, resolver: Resolver) -> None:
    rows = fill(database, [*cells(6), DEGENERATE])
    chosen = default_support(database, resolver, rows, BASE, SPACE.name)
    assert sorted(chosen) == sorted(row.id for row in rows if row.name != DEGENERATE)


def test_of_degenerate_rows_alone_all_are_taken(database: Database, resolver: Resolver) -> None:
    rows = fill(database, [DEGENERATE])
    assert default_support(database, resolver, rows, BASE, SPACE.name) == [rows[0].id]


def test_of_many_rows_the_same_are_chosen_in_every_process(database: Database, resolver: Resolver) -> None:
    rows = fill(database, cells(MOST_ROWS + 10))
    first = default_support(database, resolver, rows, BASE, SPACE.name)
    again = default_support(database, Resolver(database, DirectReader()), rows, BASE, SPACE.name)
    assert first == again
    assert len(set(first)) == MOST_ROWS


def test_a_sampler_chooses_by_its_seed_and_never_more_than_there_is(database: Database, resolver: Resolver) -> None:
    rows = fill(database, cells(12))

    def choose(samples: int, seed: int) -> list[int]:
        return choose_support(database, resolver, rows, BASE, SPACE.name, samples=samples, sampler="random", seed=seed)

    assert choose(5, 0) == choose(5, 0)
    assert set(choose(5, 0)) != set(choose(5, 1))
    assert set(choose(12, 0)) == {row.id for row in rows}
    with pytest.raises(InputError, match="has 12 rows to choose from, fewer than the 13"):
        choose(13, 0)


def test_what_is_adapted_says_which_rows_it_was_adapted_to(database: Database, resolver: Resolver) -> None:
    rows = fill(database, cells(8))
    served = adapted_to(database, resolver, TARGET, BASE, [row.id for row in rows])
    assert (served.id, served.adapted, served.support) == ("cells", True, tuple(row.id for row in rows))


class Describing(LookupTablePredictor):
    """A table that asks for cells by which it describes a device."""

    keys: tuple[str, ...] = ()

    def references(self) -> tuple[str, ...]:
        return self.keys


@pytest.mark.parametrize(("samples", "asked"), [(8, 3), (3, 3), (2, 0)])
def test_a_stack_takes_the_references_of_a_contender_while_there_is_room(
    database: Database, resolver: Resolver, samples: int, asked: int
) -> None:
    rows = fill(database, texts := cells(40))
    describing = Describing()
    describing.keys = tuple(reference_key(SPACE.parse(texts[place])) for place in (4, 20, 31))
    queries = [Query(target=TARGET, architecture=SPACE.parse(text)) for text in texts]
    describing.fit(LatencyDataset(queries=queries, latency_ms=np.arange(1.0, 41.0)))
    contenders = [Contender(name="cells", predictor=BASE.predictor), Contender(name="table", predictor=describing)]
    stack = StoredPredictor(id="cells", predictor=StackPredictor.of(contenders))

    def choose(base: StoredPredictor) -> list[int]:
        return choose_support(database, resolver, rows, base, SPACE.name, samples=samples, sampler="variance")

    chosen = choose(stack)
    names = {row.id: reference_key(SPACE.parse(row.name)) for row in rows}
    assert len(set(chosen)) == samples
    assert len({names[row] for row in chosen} & set(describing.keys)) >= asked
    if not asked:
        assert chosen == choose(BASE), "the sampler chooses as it does where nobody asks for references"


def test_references_of_graphs_are_found_by_the_texts_that_the_graphs_are_of(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a device of many measured networks, all ten references among them, would lack those left out at random."""
    texts = {f"g{number}": Architecture(space="zoo", text=f"net={number}") for number in range(4)}
    monkeypatch.setattr(
        "service.learning.support_selection.architectures_of",
        lambda _session, hashes: {name: texts[name] for name in hashes if name in texts},
    )
    rows = [MeasuredNetwork(id=number, name=f"g{number}") for number in range(6)]
    predictor = pretrained("universal-graphs")
    monkeypatch.setattr(type(predictor), "references", lambda _self: ("zoo:net=1", "zoo:net=3", "zoo:net=9"))
    assert _references(database, rows, StoredPredictor(id="graphs", predictor=predictor), GRAPHS) == [1, 3]
    monkeypatch.setattr(type(predictor), "references", lambda _self: ())
    assert _references(database, rows, StoredPredictor(id="graphs", predictor=predictor), GRAPHS) == []
