"""Data to learn from: one row for each network, with its graph, kernels and noise, as measured or at baseline speed."""

import numpy as np
import pytest
from sqlalchemy import select

from latcast.errors import NotFoundError
from latcast.schema import Architecture
from service.db import tables
from service.graphs.resolver import Resolver
from service.learning import datasets
from service.measurements.lookup import GRAPHS, measured_latencies
from service.measurements.representative import representative_ids
from tests.service.helpers import CELL, TARGET, DirectReader, World, add_import, add_row, measurement


def test_at_usual_speed_a_slow_hour_is_taken_out(world: World) -> None:
    agent = world.agent()
    for width, slow in ((1, 1.0), (2, 1.5), (3, 1.0)):
        sentinel_ms = (0.2 * slow, 0.2 * slow, 0.4 * slow)
        world.measure(agent, width, ms=width * slow, sentinel_ms=sentinel_ms, at_unix_s=60.0 * width)
    world.measure(agent, 4, ms=4.0)
    with world.database.read() as session:
        usual = datasets.load_dataset(session, target_id=TARGET.id, baseline_speed=True)
        plain = datasets.load_dataset(session, target_id=TARGET.id)
        reference = datasets.baseline_sentinel_ms(session, representative_ids(session))
        nothing = datasets.baseline_sentinel_ms(session, representative_ids(session)[-1:])
    np.testing.assert_allclose(usual.latency_ms, [1.05, 2.1, 3.15, 4.2])
    np.testing.assert_allclose(plain.latency_ms, [1.05, 3.15, 3.15, 4.2])
    assert usual.kernels is not None
    assert [kernels[0].time_ms for kernels in usual.kernels if kernels] == pytest.approx([1.0, 2.0, 3.0, 4.0])
    assert reference == pytest.approx(0.2)
    assert nothing is None


def test_dataset_has_one_row_for_each_key_with_kernels_and_noise(measured: World) -> None:
    with measured.database.read() as session:
        data = datasets.load_dataset(session, target_id=TARGET.id)
    np.testing.assert_allclose(data.latency_ms, [width * 1.05 for width in (1, 2, 3, 4, 5)])
    assert data.noise_log is not None
    np.testing.assert_allclose(data.noise_log, [0.1 / 1.05 / 2] * 5)
    assert data.kernels is not None
    assert [kernels[0].operator for kernels in data.kernels if kernels] == ["MatMul"] * 5
    assert all(query.target == TARGET for query in data.queries)
    complete = [Resolver(measured.database, DirectReader()).complete(query, []) for query in data.queries]
    assert [query.network.hash for query in complete] == [measured.graph(width) for width in range(1, 6)]
    assert all(query.has_graph for query in complete)


def test_architectures_come_with_their_graphs(world: World) -> None:
    agent = world.agent()
    world.client.profile(TARGET.id, architectures=[("nasbench201", CELL)])
    job = agent.lease(wait_s=0)
    assert job is not None
    agent.result(job["id"], job["lease_token"], measurement(job["graph"]))
    with world.database.read() as session:
        (query,) = datasets.load_dataset(session).queries
    assert query.architecture == Architecture(space="nasbench201", text=CELL)
    assert Resolver(world.database, DirectReader()).complete(query, []).network.hash == job["graph"]


def test_imported_rows_are_mixed_in_only_when_asked_for(measured: World) -> None:
    add_import(measured)
    with measured.database.read() as session:
        assert len(datasets.load_dataset(session)) == 5
        mixed = datasets.load_dataset(session, imported=True)
    assert len(mixed) == 6
    assert mixed.noise_log is None
    assert mixed.queries[-1].architecture == Architecture(space="nasbench201", text=CELL)


@pytest.mark.slow
def test_support_set_by_ids(measured: World) -> None:
    graphs = {measured.graph(1), measured.graph(2)}
    with measured.database.write.begin() as session:
        rows = session.scalars(
            select(tables.Measurement.id).where(~tables.Measurement.noisy).order_by(tables.Measurement.id).limit(2)
        ).all()
        assert len(datasets.load_dataset(session, measurement_ids=rows)) == 2
        with pytest.raises(NotFoundError):
            datasets.load_dataset(session, measurement_ids=[*rows, 999])
        session.add(tables.Artifact(digest="d", content=b""))
        session.flush()
        predictor = tables.Predictor(kind="flops", artifact_digest="d", metrics={})
        session.add(predictor)
        session.flush()
        adaptation = tables.Adaptation(
            predictor_id=predictor.id, target_id=TARGET.id, support=list(rows), artifact_digest="d", metrics={}
        )
        session.add(adaptation)
        session.flush()
        assert set(datasets.network_keys(session, adaptation.support).values()) == graphs


def test_rows_that_were_hidden_since_they_were_chosen_are_an_error(measured: World) -> None:
    with measured.database.read() as session:
        ids = representative_ids(session, target_ids=[TARGET.id])
    measured.client.hide_measurements(ids=ids[:1])
    with measured.database.read() as session:
        assert datasets.visible_among(session, ids) == set(ids[1:])
        with pytest.raises(NotFoundError, match=r"1 of the measurements .* hidden"):
            datasets.load_dataset(session, measurement_ids=ids)
        datasets.load_dataset(session, measurement_ids=ids[1:])
    measured.client.hide("targets", TARGET.id)
    with measured.database.read() as session, pytest.raises(NotFoundError, match=r"Target .* was hidden"):
        datasets.load_dataset(session, measurement_ids=ids[1:])


def test_no_rows_are_an_empty_dataset(world: World) -> None:
    with world.database.read() as session:
        assert len(datasets.load_dataset(session)) == 0


def test_manifest_names_exactly_the_rows(measured: World) -> None:
    with measured.database.write.begin() as session:
        ids = representative_ids(session, target_ids=[TARGET.id])
        first = datasets.freeze_dataset(session, ids, chosen_by={"targets": [TARGET.id]})
        again = datasets.freeze_dataset(session, ids, chosen_by={})
        other = datasets.freeze_dataset(session, ids[1:], chosen_by={})
    assert first.rows == 5
    assert first.rows_digest == again.rows_digest != other.rows_digest
    with measured.database.read() as session:
        assert datasets.frozen_row_ids(session, first.id) == ids
        with pytest.raises(NotFoundError, match="data set 'x'"):
            datasets.frozen_row_ids(session, "x")


def test_rows_that_cannot_be_spoil_nothing(measured: World) -> None:
    """Such rows were stored before reports were checked."""
    run = {"samples_ms": [1.7e308, 1.7e308], "peak_memory_bytes": 0}
    add_row(measured, measured.graph(1), median_ms=np.inf, runs=[run])
    add_row(measured, measured.graph(2), median_ms=2.0, runs=[{**run, "samples_ms": [2.0]}], sentinel_ms=[0.0, 0.2])
    add_row(measured, measured.graph(8), median_ms=8.0, runs=[{**run, "samples_ms": [8.0]}], sentinel_ms=[0.0])
    with measured.database.read() as session:
        every = list(session.scalars(select(tables.Measurement.id).where(tables.Measurement.median_ms.is_not(None))))
        for ids in (None, every):
            data = datasets.load_dataset(session, target_id=TARGET.id, measurement_ids=ids, baseline_speed=True)
            assert np.isfinite(data.latency_ms).all()
            assert data.noise_log is not None
            assert np.isfinite(data.noise_log).all()
        assert datasets.baseline_sentinel_ms(session, every) == pytest.approx(0.2)
        names = [measured.graph(width) for width in (1, 2, 8)]
        answers = measured_latencies(session, TARGET, GRAPHS, names)
    assert [answers[name].median_ms for name in names] == [pytest.approx(1.05), 2.0, 8.0]
