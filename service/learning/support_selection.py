"""Adapting a base to measurements that are there: which of them, and what comes of it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from sqlalchemy.orm import Session

from latcast.schema import Architecture, GraphHash, InputError, Target
from latcast.schema.counting import counted
from predictors.base import Predictor, Query
from predictors.features.references import reference_key
from predictors.samplers.base import choose_beside, get_sampler
from profilers.search_spaces import get_space
from profilers.search_spaces.families import family_of
from service.db.session import Database
from service.graphs.queries import reads_natively
from service.graphs.resolver import Resolver
from service.graphs.store import architectures_of
from service.learning import datasets
from service.learning.catalogue import ServedPredictor, StoredPredictor
from service.learning.contenders import leading, unwrapped
from service.measurements.lookup import GRAPHS, MeasuredNetwork, measured_networks

__all__ = ["SAMPLERS_READ", "adapted_to", "choose_support", "default_support", "good_rows"]

MOST_ROWS = 50
"""Rows that adapt by themselves: more improve forecasts by next to nothing and keep the first caller waiting."""
MOST_GRAPHS = 20
"""The same for a base that reads graphs, which have to be built or read first."""
SAMPLERS_READ = ("flat",)
"""What samplers read of graphs beside the predictor."""
MOST_LEARNT = 64
"""Rows of graphs that an adaptation rests on: it is made anew with each measurement, within a second."""
FEWEST_STEADY = 10
"""From so many rows on that are not noisy, noisy ones do not count."""
POOL_ROWS, POOL_GRAPHS = 500, 150
"""Networks among which a sampler chooses, drawn at random from a larger table."""


def good_rows(session: Session, target: Target, *, always: Collection[int] = ()) -> list[int]:
    """Ids of the measurements of graphs that a target's adaptation rests on, whoever had them taken, ascending.

    Every network counts, by the row that represents it. Noisy rows count while there are few others; beyond
    `MOST_LEARNT` the newest of each family stay.

    Args:
        session: reads.
        target: one that was measured here.
        always: ids of rows that count in any case.
    """
    measured = measured_networks(session, target, GRAPHS)
    steady = [row for row in measured if not row.noisy or row.id in set(always)]
    rows = steady if len(steady) >= FEWEST_STEADY else measured
    wanted = set(always)
    wanted -= _outdated(session, wanted, measured)
    others = [row for row in rows if row.id not in wanted]
    room = max(0, MOST_LEARNT - len(wanted))
    if len(others) > room:
        others = _newest_of_each(others, architectures_of(session, {row.name for row in others}))[:room]
    return sorted({*wanted, *(row.id for row in others)})


def _outdated(session: Session, rows: Collection[int], measured: Sequence[MeasuredNetwork]) -> set[int]:
    """Those of the rows whose network another row represents by now."""
    keys, current = datasets.network_keys(session, rows), {row.name: row.id for row in measured}
    return {row for row, name in keys.items() if current.get(str(name), row) != row}


def _newest_of_each(
    rows: Sequence[MeasuredNetwork], architectures: Mapping[GraphHash, Architecture]
) -> list[MeasuredNetwork]:
    """The newest row of each family, then the second newest of each, and so on."""
    places: Counter[str] = Counter()
    ranked = []
    for row in sorted(rows, key=lambda row: -row.id):
        architecture = architectures.get(row.name)
        family = row.name if architecture is None else family_of(architecture)
        ranked.append((places[family], -row.id, row))
        places[family] += 1
    return [row for _, _, row in sorted(ranked, key=lambda each: each[:2])]


def default_support(
    database: Database, resolver: Resolver, rows: Sequence[MeasuredNetwork], base: StoredPredictor, space: str
) -> list[int]:
    """Ids of the rows to adapt to when nobody says how: all while they are few, else those that say most of the rest.

    The same in every process. A base that reads graphs gets them at random, as choosing would build hundreds.
    """
    native = reads_natively(base.predictor, space)
    most = MOST_ROWS if native else MOST_GRAPHS
    alive = _reaching(rows, space) or list(rows)
    if len(alive) <= most:
        return [row.id for row in alive]
    sampler = "variance" if native else "random"
    return choose_support(database, resolver, alive, base, space, samples=most, sampler=sampler)


def choose_support(
    database: Database,
    resolver: Resolver,
    rows: Sequence[MeasuredNetwork],
    base: StoredPredictor,
    space: str,
    *,
    samples: int,
    sampler: str,
    seed: int = 0,
) -> list[int]:
    """Ids of rows that a sampler chooses.

    Args:
        database: that has the rows.
        resolver: reads and builds the graphs that the base wants.
        rows: networks of the space that were measured on one target.
        base: what is to be adapted.
        space: a search space, or `service.measurements.lookup.GRAPHS`.
        samples: how many.
        sampler: who chooses.
        seed: of everything random.

    Those by which the base describes a device come first, and count.

    Raises:
        InputError: there are fewer rows.
    """
    if len(rows) < samples:
        raise InputError(
            f"The table has {counted(len(rows), 'row')} to choose from, fewer than the "
            f"{counted(samples, 'sample')} asked for."
        )
    references, rng = _references(database, rows, base, space), np.random.default_rng(seed)
    if cannot_do_without_references(base.predictor):
        references = references[:samples]
    elif len(references) > samples:
        references = []  # a stack does without the contender that they describe the device to
    rest = [row for row in rows if row.id not in set(references)]
    left = samples - len(references)
    if references and (not left or cannot_do_without_references(base.predictor)):
        return sorted([*references, *(rest[place].id for place in rng.permutation(len(rest))[:left].tolist())])
    largest = POOL_ROWS if reads_natively(base.predictor, space) else POOL_GRAPHS
    drawn = rng.permutation(len(rest))[: max(largest, left)].tolist()
    ids = sorted(rest[index].id for index in drawn)
    observed, pool = (_queries(database, resolver, part, base) for part in (references, ids))
    places = choose_beside(get_sampler(sampler), pool, left, observed=observed, predictor=base.predictor, rng=rng)
    return sorted([*references, *(ids[place] for place in places)]) if references else [ids[place] for place in places]


def cannot_do_without_references(base: Predictor) -> bool:
    """Whether references describe devices to the predictor itself, rather than to one of several contenders."""
    capabilities = base.fitted_capabilities()
    needed = capabilities.evidence | capabilities.any_evidence
    return bool(base.references()) and "reference_latency_ms" in needed


def _queries(database: Database, resolver: Resolver, ids: Sequence[int], base: StoredPredictor) -> list[Query]:
    """The networks of these rows, as the base and samplers read them."""
    if not ids:
        return []
    with database.read() as session:
        rows = datasets.load_dataset(session, measurement_ids=ids)
    return [resolver.readable(query, base.predictor, also=SAMPLERS_READ) for query in rows.queries]


def _references(database: Database, rows: Sequence[MeasuredNetwork], base: StoredPredictor, space: str) -> list[int]:
    """Ids of the rows by which the base describes a device; graphs are known by the texts that they are of."""
    wanted = set(base.predictor.references())
    if not wanted:
        return []
    if space:
        return [row.id for row in rows if reference_key(Architecture(space=space, text=row.name)) in wanted]
    with database.read() as session:
        texts = architectures_of(session, {row.name for row in rows})
    return [row.id for row in rows if row.name in texts and reference_key(texts[row.name]) in wanted]


def _reaching(rows: Sequence[MeasuredNetwork], space: str) -> list[MeasuredNetwork]:
    """Rows without degenerate architectures, of which a support has no use."""
    if not space:
        return list(rows)
    search_space = get_space(space)
    return [row for row in rows if not search_space.is_degenerate(Architecture(space=space, text=row.name))]


def adapted_to(
    database: Database, resolver: Resolver, target: Target, base: StoredPredictor, ids: Sequence[int]
) -> ServedPredictor:
    """The base, adapted to measurements of the target.

    Raises:
        LatcastError: the base cannot be adapted to them; says why.
    """
    with database.read() as session:
        rows = datasets.load_dataset(session, measurement_ids=ids, baseline_speed=True)
    support = resolver.readable_rows(rows, base.predictor)
    predictor = base.predictor.adapt(target, support, support.evidence.get(target.id))
    answering, standings = unwrapped(predictor)
    return ServedPredictor(
        id=leading(base, predictor).id, predictor=answering, adapted=True, support=tuple(ids), standings=standings
    )
