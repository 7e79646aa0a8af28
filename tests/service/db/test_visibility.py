"""Every query of a session leaves hidden rows out, wherever they occur in it, unless it says that it means all."""

import gc
from weakref import ref

from sqlalchemy import bindparam, exists, func, select

from service.db.session import Database
from service.db.tables import Graph, Measurement, Target
from service.db.visibility import ALL_ROWS


def fill(database: Database) -> tuple[int, int]:
    """Ids of a hidden and of another measurement."""
    columns = {"settings": {}, "feeds": [], "runs": [], "sentinel_ms": [], "protocol_version": 1, "median_ms": 1.0}
    with database.write.begin() as session:
        session.add(Target(id="t", backend="b", record={}))
        session.add(Graph(hash="g", model=b"", summary={}))
        session.flush()
        rows = [Measurement(target_id="t", graph_hash="g", hidden_unix_s=at, **columns) for at in (1.0, None)]
        session.add_all(rows)
        session.flush()
        return rows[0].id, rows[1].id


def test_hidden_rows_are_left_out_of_columns_aggregates_and_subqueries(database: Database) -> None:
    hidden, seen = fill(database)
    with database.read() as session:
        assert session.scalars(select(Measurement.id)).all() == [seen]
        assert session.scalar(select(func.count()).select_from(Measurement)) == 1
        assert session.get(Measurement, hidden) is None
        inner = select(Measurement.target_id).where(Measurement.id == hidden)
        assert session.scalars(select(Target.id).where(Target.id.in_(inner))).all() == []
        about = exists().where(Measurement.graph_hash == Graph.hash, Measurement.id == hidden)
        assert session.scalar(select(Graph.hash).where(about)) is None
        joined = select(Graph.hash, Measurement.id).join(Measurement, Measurement.graph_hash == Graph.hash)
        assert session.execute(joined).all() == [("g", seen)]


def test_a_statement_that_means_all_rows_gets_them(database: Database) -> None:
    hidden, seen = fill(database)
    with database.read() as session:
        ids = session.scalars(select(Measurement.id).order_by(Measurement.id), execution_options=ALL_ROWS).all()
        assert ids == [hidden, seen]
        row = session.get(Measurement, hidden, execution_options=ALL_ROWS)
        assert row is not None
        assert row.runs == []  # what is loaded later of a row that is there comes, too
    with database.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Measurement)) == 2


def test_what_belongs_to_a_row_that_is_seen_comes_with_it(database: Database) -> None:
    _, seen = fill(database)
    with database.write.begin() as session:
        session.get_one(Target, "t").hidden_unix_s = 1.0
    with database.read() as session:
        assert session.get(Target, "t") is None
        assert session.get_one(Measurement, seen).target.id == "t"


def test_a_statement_that_is_kept_is_asked_again_and_again_and_one_that_is_not_is_forgotten(database: Database) -> None:
    hidden, seen = fill(database)
    kept = select(Measurement.id).where(Measurement.id.in_(bindparam("ids", expanding=True)))
    with database.read() as session:
        for ids, found in (([hidden, seen], [seen]), ([hidden], []), ([seen], [seen])):
            assert session.scalars(kept, {"ids": ids}).all() == found
            assert sorted(session.scalars(kept, {"ids": ids}, execution_options=ALL_ROWS)) == sorted(ids)
        session.scalars(passing := select(Measurement.target_id)).all()
        gone = ref(passing)
    del passing
    gc.collect()
    assert gone() is None
