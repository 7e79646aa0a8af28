"""What is known of a target: lookups, data to learn from, pages, exports."""

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from latcast.errors import NotFoundError
from latcast.schema import Architecture, InputError, Target, from_plain
from service.db import records, tables
from service.graphs.resolver import Resolver
from service.learning import datasets
from service.measurements.lookup import GRAPHS, measured_latencies
from service.measurements.representative import representative_ids
from tests.service.helpers import CELL, OTHER_TARGET, TARGET, DirectLoader, World, measurement


@pytest.fixture
def measured(world: World) -> World:
    """Five graphs of 1 to 5 ms, the third measured twice (noisy the second time), one failed."""
    agent = world.agent([TARGET, OTHER_TARGET])
    for width in range(1, 6):
        world.measure(agent, width, ms=float(width))
    world.measure(agent, 3, ms=30.0, noisy=True)
    world.client.profile(TARGET.id, graphs=[world.graph(9)])
    job = agent.lease(wait_s=0)
    assert job is not None
    from latcast.schema import Failure

    agent.failure(job["id"], job["lease_token"], Failure(stage="open", message="=cmd|' /C calc'!A0"))
    return world


def add_import(world: World, *, ms: float = 7.0) -> str:
    """A row of a public table."""
    target = Target(device="pixel", backend="imported", origin="table.csv (MIT)")
    with world.database.write.begin() as session:
        session.add(records.target_row(target, None))
        architecture = tables.Architecture(space="nasbench201", text=CELL)
        session.add(architecture)
        session.flush()
        session.add(
            tables.Measurement(
                target_id=target.id,
                architecture_id=architecture.id,
                statistic="mean",
                median_ms=ms,
                settings={},
                feeds=[],
                runs=[],
                sentinel_ms=[],
                protocol_version=0,
            )
        )
    return target.id


def test_measured_latency_prefers_quiet_rows_and_knows_default_feeds_only(measured: World) -> None:
    graphs = [measured.graph(width) for width in (1, 3, 9, 50)]
    with measured.database.read() as session:
        known = measured_latencies(session, TARGET, GRAPHS, [*graphs, "none"])
        assert measured_latencies(session, OTHER_TARGET, GRAPHS, graphs) == {}
    assert set(known) == set(graphs[:2])
    assert known[graphs[1]].median_ms == pytest.approx(3.15)
    assert known[graphs[1]].samples == 4


def test_measured_with_other_feeds_is_another_key(world: World) -> None:
    from latcast.schema import FeedSpec

    agent = world.agent()
    graph = world.graph()
    feed = FeedSpec(name="x", dtype="float32", shape=(1, 8), low=0.0, high=1.0)
    world.client.profile(TARGET.id, graphs=[graph], feeds=[feed])
    job = agent.lease(wait_s=0)
    assert job is not None
    assert [from_plain(FeedSpec, plain) for plain in job["feeds"]] == [feed]
    agent.result(job["id"], job["lease_token"], measurement(graph))
    with world.database.read() as session:
        assert measured_latencies(session, TARGET, GRAPHS, [graph]) == {}


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
    complete = [Resolver(measured.database, DirectLoader()).complete(query) for query in data.queries]
    assert [query.graph.hash for query in complete] == [measured.graph(width) for width in range(1, 6)]
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
    assert Resolver(world.database, DirectLoader()).complete(query).graph.hash == job["graph"]


def test_imported_rows_are_mixed_in_only_when_asked_for(measured: World) -> None:
    add_import(measured)
    with measured.database.read() as session:
        assert len(datasets.load_dataset(session)) == 5
        mixed = datasets.load_dataset(session, imported=True)
    assert len(mixed) == 6
    assert mixed.noise_log is None
    assert mixed.queries[-1].architecture == Architecture(space="nasbench201", text=CELL)


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


def test_no_rows_are_an_empty_dataset(world: World) -> None:
    with world.database.read() as session:
        assert len(datasets.load_dataset(session)) == 0


def test_manifest_names_exactly_the_rows(measured: World) -> None:
    with measured.database.write.begin() as session:
        first, rows = datasets.freeze_dataset(session, target_ids=[TARGET.id])
        again, _ = datasets.freeze_dataset(session, target_ids=[TARGET.id])
        other, _ = datasets.freeze_dataset(session, target_ids=[OTHER_TARGET.id])
    assert first.rows == len(rows) == 5
    assert first.rows_digest == again.rows_digest != other.rows_digest


@pytest.mark.parametrize("sort", ["id", "-id", "median_ms", "-median_ms"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_together_are_the_whole(measured: World, sort: str, limit: int) -> None:
    rows = list(measured.client.measurements(TARGET.id, sort=sort, limit=limit))
    name = sort.removeprefix("-")
    values = [row[name] for row in rows]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert len({row["id"] for row in rows}) == len(rows) == (7 if name == "id" else 6)


def test_filters(measured: World) -> None:
    def count(**filters: object) -> int:
        return len(list(measured.client.measurements(TARGET.id, **filters)))

    assert count(outcome="measured") == 6
    assert count(outcome="failed") == 1
    assert count(noisy=True) == 1
    assert count(graph=measured.graph(3)) == 2
    assert count(space="nasbench201") == 0


def test_cursors_are_checked(measured: World) -> None:
    page = measured.http.get(f"/v1/targets/{TARGET.id}/measurements?limit=2&sort=id").json()
    for cursor, sort in (("x", "id"), (page["next_cursor"], "-id"), ("W10=", "id"), ("bnVsbA==", "id")):
        with pytest.raises(InputError, match="cursor"):
            list(measured.client.measurements(TARGET.id, cursor=cursor, sort=sort))


def test_row_shows_its_summary_and_the_whole_record(measured: World) -> None:
    row = next(measured.client.measurements(TARGET.id, sort="id"))
    assert row["median_ms"] == pytest.approx(1.05)
    assert (row["samples"], row["peak_memory_bytes"], row["statistic"]) == (4, 1000, "samples")
    assert measured.http.get(f"/v1/measurements/{row['id']}").json()["summary"] == row
    assert measured.client.measurement(row["id"]) == measurement(row["graph"], ms=1.0)


def test_csv_holds_every_row_and_no_formula(measured: World, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    measured.client.export(TARGET.id, path, file_format="csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert len(rows) == 7
    assert float(rows[0]["median_ms"]) == pytest.approx(1.05)
    assert rows[-1]["failure_message"] == "'=cmd|' /C calc'!A0"
    cells = [value for row in rows for value in row.values() if value]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]


def test_parquet_holds_every_sample(measured: World, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    measured.client.export(TARGET.id, path)
    table = pq.read_table(path)
    assert table.num_rows == 7
    assert table["samples_ms"][0].as_py() == [[1.0, 1.0, 1.0], [pytest.approx(1.1)]]
    assert table["failure_message"][6].as_py() == "=cmd|' /C calc'!A0"  # Parquet runs no formulas
    measured.client.export(OTHER_TARGET.id, path)
    assert pq.read_table(path).num_rows == 0


def test_export_of_an_imported_target(measured: World, tmp_path: Path) -> None:
    target = add_import(measured)
    measured.client.export(target, tmp_path / "rows.csv", file_format="csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text()))
    assert (row["statistic"], row["text"]) == ("mean", CELL)
    (listed,) = measured.client.measurements(target)
    assert measured.http.get(f"/v1/measurements/{listed['id']}").status_code == 422
    shown = measured.client.target(target)
    assert (shown["device_id"], shown["device_name"], shown["origin"]) == (None, "pixel", "table.csv (MIT)")


def test_targets_count_their_measurements(measured: World) -> None:
    targets = {target["id"]: target for target in measured.client.targets()}
    assert targets[TARGET.id]["measurements"] == 6
    assert targets[OTHER_TARGET.id]["measurements"] == 0
    assert targets[TARGET.id]["label"] == TARGET.label
    assert targets[TARGET.id] == measured.client.target(TARGET.id)
