"""What is stored comes back as it was."""

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from latcast.schema import (
    CounterReading,
    Environment,
    Failure,
    FeedSpec,
    InputError,
    KernelTiming,
    Measurement,
    ProcessRun,
    ProfileSettings,
)
from service.db import records, tables
from service.db.session import Database
from service.graphs import store
from tests.service.helpers import DEVICE, TARGET, DirectReader, measurement, model

PREPARED = store.prepare(DirectReader(), model())

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
positive = st.floats(1e-6, 1e9)
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**62)
shapes = st.lists(st.lists(counts, max_size=3).map(tuple), max_size=2).map(tuple)
kernels = st.builds(
    KernelTiming,
    operator=texts,
    share=st.floats(0, 1),
    time_ms=positive,
    node=st.none() | counts,
    input_shapes=shapes,
    output_shapes=shapes,
    dtype=texts,
)
readings = st.builds(
    CounterReading,
    values=st.dictionaries(texts, numbers, max_size=3),
    enabled_ns=st.dictionaries(texts, counts, max_size=3),
    running_ns=st.dictionaries(texts, counts, max_size=3),
    absent=st.dictionaries(texts, texts, max_size=3),
)
runs = st.builds(
    ProcessRun,
    samples_ms=st.lists(positive, min_size=1, max_size=5).map(tuple),
    runs_per_sample=st.integers(1, 100),
    warmup_runs=counts,
    load_ms=numbers,
    kernels=st.none() | st.lists(kernels, max_size=3).map(tuple),
    counters=st.none() | readings,
    peak_memory_bytes=counts,
)
environments = st.builds(
    Environment,
    time_unix_s=numbers,
    load_1m=st.none() | numbers,
    throttled=st.none() | st.booleans(),
    versions=st.dictionaries(texts, texts, max_size=2),
)
failures = st.builds(Failure, stage=st.sampled_from(["open", "run"]), message=texts)
measurements = st.builds(
    Measurement,
    graph=st.just(PREPARED.hash),
    target=st.just(TARGET),
    settings=st.builds(ProfileSettings, options=st.dictionaries(texts, texts, max_size=2), stable_iqr=positive),
    feeds=st.lists(
        st.builds(FeedSpec, name=texts, dtype=texts, shape=st.lists(counts, max_size=2).map(tuple), low=numbers),
        max_size=2,
    ).map(tuple),
    before=st.none() | environments,
    after=st.none() | environments,
    noisy=st.booleans(),
    sentinel_ms=st.lists(positive, max_size=2).map(tuple),
)
outcomes = st.one_of(
    st.tuples(measurements, st.lists(runs, min_size=1, max_size=3)).map(lambda it: replace(it[0], runs=tuple(it[1]))),
    st.tuples(measurements, failures).map(lambda it: replace(it[0], failure=it[1])),
)


def _prepare(database: Database) -> None:
    with database.write.begin() as session:
        device = session.merge(records.device_row(DEVICE))
        session.flush()
        session.merge(records.target_row(TARGET, device))
        store.save(session, PREPARED)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(outcomes)
def test_measurement_comes_back_as_it_was(database: Database, sent: Measurement) -> None:
    _prepare(database)
    with database.write.begin() as session:
        row = records.measurement_row(sent)
        session.add(row)
        session.flush()
        row_id = row.id
    with database.read() as session:
        kept = session.get_one(tables.Measurement, row_id)
        assert records.measurement_record(kept) == sent
        assert records.summary_record(kept) == sent.summary


def test_device_and_target_come_back_as_they_were(database: Database) -> None:
    _prepare(database)
    with database.read() as session:
        assert records.device_record(session.scalars(select(tables.Device)).one()) == DEVICE
        assert records.target_record(session.scalars(select(tables.Target)).one()) == TARGET


@pytest.mark.parametrize(
    "broken",
    [
        replace(measurement("g"), runs=()),
        replace(measurement("g"), failure=Failure(stage="run", message="but it has samples")),
        replace(measurement("g"), runs=(ProcessRun(samples_ms=()),)),
        replace(measurement("g"), runs=(ProcessRun(samples_ms=(0.0,)),)),
        replace(measurement("g"), runs=(ProcessRun(samples_ms=(math.nan,)),)),
        replace(measurement("g"), runs=(ProcessRun(samples_ms=(math.inf,)),)),
        replace(measurement("g"), runs=(ProcessRun(samples_ms=(1.0,), load_ms=math.nan),)),
        replace(measurement("g"), runs=(ProcessRun(samples_ms=(1.0,), peak_memory_bytes=2**64),)),
        replace(measurement("g"), runs=(), failure=Failure(stage="run", message="zero \0 byte")),
    ],
)
def test_impossible_measurement_is_refused_with_a_sentence(broken: Measurement) -> None:
    with pytest.raises(InputError, match=r"\w+ .*\.$"):
        records.measurement_row(broken)


def test_feeds_key_does_not_depend_on_order_and_tells_recipes_apart() -> None:
    a = FeedSpec(name="a", dtype="int64", shape=(2,), low=0, high=9)
    b = FeedSpec(name="b", dtype="float32", shape=())
    assert records.feeds_key(()) == records.DEFAULT_FEEDS
    assert records.feeds_key((a, b)) == records.feeds_key((b, a))
    assert records.feeds_key((a,)) != records.feeds_key((replace(a, high=10),))
