"""Public tables in the database: once, whole or not at all."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, text

from latcast.schema import InputError, Target
from predictors.data.importers import Imported, read_any
from profilers.onnx_graph import load_graph
from profilers.search_spaces import get_space
from service.db import tables
from service.db.session import Database
from service.graphs import store as graph_store
from service.measurements.table_import import Stored, store
from tests.predictors.tables import published_data, write_cells, write_chains
from tests.service.helpers import CELL, DirectReader, model

OTHER = CELL.replace("avg_pool_3x3", "none")


def table(folder: Path, *rows: str) -> Imported:
    path = folder / "t.csv"
    path.write_text("\n".join(["target,space,text,ms", *rows]), encoding="utf-8")
    return read_any(path, origin="mine, CC0")


def count(database: Database, table: Any) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def contents(database: Database) -> list[tuple[object, ...]]:
    """Every imported row: device, space, text or graph, ms, statistic; oldest first."""
    what, measured = tables.Architecture, tables.Measurement
    query = (
        select(tables.Target.record, what.space, what.text, measured.graph_hash, measured.median_ms, measured.statistic)
        .join_from(measured, tables.Target)
        .outerjoin(what, measured.architecture_id == what.id)
        .order_by(measured.id)
    )
    with database.read() as session:
        return [(row[0]["device"], *row[1:]) for row in session.execute(query)]


def test_rows_targets_and_architectures(database: Database, tmp_path: Path) -> None:
    imported = table(
        tmp_path, f"phone,nasbench201,{CELL},12.5", f"phone,nasbench201,{OTHER},7", f"b,nasbench201,{CELL},1"
    )
    assert store(database, imported) == Stored(targets=2, added=3, changed=0, known=0)
    assert sorted(contents(database)) == [
        ("b", "nasbench201", CELL, None, 1.0, "reported"),
        ("phone", "nasbench201", CELL, None, 12.5, "reported"),
        ("phone", "nasbench201", OTHER, None, 7.0, "reported"),
    ]
    with database.read() as session:
        for row in session.scalars(select(tables.Target)):
            assert (row.origin, row.device_id, row.offered) == ("mine, CC0", None, False)
    assert count(database, tables.Architecture) == 2


def test_importing_twice_adds_nothing(database: Database, tmp_path: Path) -> None:
    write_cells(tmp_path, count=30, devices=("fpga", "raspi4"))
    write_chains(tmp_path, count=12)
    imported = read_any(tmp_path)
    assert store(database, imported) == Stored(targets=6, added=108, changed=0, known=0)
    before = contents(database)
    assert len(before) == 108
    assert {row[-1] for row in before} == {"mean"}
    assert store(database, imported) == Stored(targets=0, added=0, changed=0, known=108)
    assert contents(database) == before


def test_new_rows_are_added_and_values_that_changed_count_from_now_on(database: Database, tmp_path: Path) -> None:
    store(database, table(tmp_path, f"a,nasbench201,{CELL},1", f"a,nasbench201,{OTHER},2"))
    again = table(tmp_path, f"a,nasbench201,{CELL},1", f"a,nasbench201,{OTHER},3", f"b,nasbench201,{OTHER},4")
    assert store(database, again) == Stored(targets=1, added=1, changed=1, known=1)
    assert store(database, again) == Stored(targets=0, added=0, changed=0, known=3)


def test_models_come_with_the_table(database: Database, tmp_path: Path) -> None:
    for width in (3, 4):
        (tmp_path / f"{width}.onnx").write_bytes(model(width))
    (tmp_path / "gt.txt").write_text("1 3.onnx 1 2.5 net 2\n2 4.onnx 1 3.5 net 2\n3 4.onnx 1 9 net 5\n")
    imported = read_any(tmp_path)
    assert store(database, imported) == Stored(targets=2, added=3, changed=0, known=0)
    assert store(database, imported) == Stored(targets=0, added=0, changed=0, known=3)
    assert {row[3] for row in contents(database)} == set(imported.models)
    with database.read() as session:
        for graph_hash in imported.models:
            stored = graph_store.model_bytes(graph_store.find(session, graph_hash))
            assert load_graph(stored).hash == graph_hash


def test_an_imported_architecture_gets_its_graph_when_it_is_measured(database: Database, tmp_path: Path) -> None:
    store(database, table(tmp_path, f"a,nasbench201,{CELL},1"))
    prepared = graph_store.prepare_architecture(DirectReader(), get_space("nasbench201").parse(CELL))
    with database.write.begin() as session:
        graph_store.save(session, prepared)
    with database.read() as session:
        assert session.scalars(select(tables.Architecture.graph_hash)).all() == [prepared.hash]


def test_a_name_that_no_database_keeps_changes_nothing(database: Database, tmp_path: Path) -> None:
    imported = table(tmp_path, f"a,nasbench201,{CELL},1")
    bad = Target(device="a", backend="imported", origin="zero\0byte")
    report = imported.report
    with pytest.raises(InputError, match="zero byte"):
        store(database, replace(imported, report=replace(report, targets=(*report.targets, bad))))
    assert [count(database, each) for each in (tables.Target, tables.Architecture, tables.Measurement)] == [0, 0, 0]


def test_progress_ends_and_temporary_tables_are_gone(database: Database, tmp_path: Path) -> None:
    seen: list[float] = []
    for _ in range(2):
        store(database, table(tmp_path, f"a,nasbench201,{CELL},1"), progress=lambda done, _what: seen.append(done))
    assert seen == sorted(seen[:2]) * 2
    with database.engine.connect() as connection, pytest.raises(Exception, match="import_row"):
        connection.execute(text("SELECT * FROM import_row"))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_pooler_may_give_every_transaction_another_connection(database: Database, tmp_path: Path) -> None:
    statements: list[str] = []

    @event.listens_for(database.engine, "begin")
    def lend_another(connection: Connection) -> None:
        connection.exec_driver_sql("DISCARD TEMP")  # what a session had of its own is not there

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: Connection, _cursor: object, statement: str, *_arguments: object) -> None:
        statements.append(statement)

    assert store(database, table(tmp_path, f"a,nasbench201,{CELL},1")).added == 1
    assert store(database, table(tmp_path, f"a,nasbench201,{CELL},1")).known == 1
    made = [statement for statement in statements if "CREATE TEMPORARY" in statement]
    assert len(made) == 4
    assert all("ON COMMIT DROP" in statement for statement in made)  # the pooler's session lives on


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from sqlalchemy import event
    from predictors.data.importers import read_any
    from service.db.session import Database, create_engine_for
    from service.measurements.table_import import store
    from service.settings import Settings

    database = Database(create_engine_for(Settings()))

    @event.listens_for(database.engine, "after_cursor_execute")
    def die(connection, cursor, statement, *_):
        if statement.startswith(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

    store(database, read_any(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["INSERT INTO import_what", "INSERT INTO architecture", "INSERT INTO measurement"])
def test_a_killed_import_leaves_nothing(database: Database, database_url: str, tmp_path: Path, moment: str) -> None:
    write_cells(tmp_path, count=20, devices=("fpga", "raspi4"))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), moment],
        env={**os.environ, "LATCAST_DATABASE_URL": database_url},
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == -signal.SIGKILL
    assert [count(database, each) for each in (tables.Target, tables.Architecture, tables.Measurement)] == [0, 0, 0]
    assert store(database, read_any(tmp_path)).added == 40


@pytest.mark.slow
def test_the_published_tables(database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("half a million rows are imported into one database alone")
    imported = read_any(published_data())
    stored = store(database, imported)
    assert stored.added == imported.report.rows > 600_000
    assert count(database, tables.Measurement) == stored.added
