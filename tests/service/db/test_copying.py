"""Rows are copied between databases of either kind: bytes, JSON and references to rows of the same table."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from latcast.schema import InputError, ProfileSettings
from service.db import tables
from service.db.copying import copy_rows, reflected, set_sequences
from service.db.session import Database, create_engine_for
from service.db.statements import CHUNK
from service.jobs import queue
from service.jobs.payloads import ProfilePayload
from service.settings import Settings

PAYLOAD = ProfilePayload(settings=ProfileSettings())


@pytest.fixture
def source(database: Database) -> Engine:
    """Jobs that refer to later ones of the same table, JSON that is null and none, and bytes."""
    with database.write.begin() as session:
        session.add(tables.Artifact(digest="d", content=b"\0\xff"))
        parent = queue.enqueue(session, PAYLOAD, max_attempts=1)
        children = [queue.enqueue(session, PAYLOAD, max_attempts=1, parent_id=parent.id) for _ in range(CHUNK + 1)]
        parent.parent_id = children[-1].id
        parent.result = {"é": [1.5, None, 2**60]}
        session.add(tables.Architecture(id=41, space="toy", text="a"))
    return database.engine


@pytest.fixture
def destination(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of SQLite, whichever the source is."""
    shutil.copy(migrated_sqlite, path := tmp_path / "other.db")
    engine = create_engine_for(Settings(database_url=f"sqlite:///{path}"))
    yield engine
    engine.dispose()


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Everything, as the tables of today read it."""
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in tables.Base.metadata.sorted_tables
        }


def test_a_copy_equals_what_was_copied(source: Engine, destination: Engine) -> None:
    with source.connect() as reading, destination.begin() as writing:
        counts = copy_rows(reading, writing)
    assert (counts["job"], counts["artifact"]) == (CHUNK + 2, 1)
    assert contents(destination) == contents(source)
    with destination.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM job WHERE result IS NULL")) == CHUNK + 1


OWN = (
    "CREATE TABLE somebodys_own (a TEXT)",
    "ALTER TABLE job ADD COLUMN note TEXT",
    "CREATE VIEW endless AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r",
    "CREATE INDEX own_index ON device (upper(name))",
)


@pytest.fixture
def copy_file(new_sqlite: str) -> Iterator[Engine]:
    """A copy as `latcast db backup` makes it, which somebody may change."""
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    with database.write.begin() as session:
        session.add(tables.Architecture(id=41, space="toy", text="a"))
        queue.enqueue(session, PAYLOAD, max_attempts=1)
    yield database.engine
    database.close()


def test_what_somebody_added_stays_behind(
    copy_file: Engine, destination: Engine, recwarn: pytest.WarningsRecorder
) -> None:
    before = contents(copy_file)
    with copy_file.begin() as connection:
        for statement in OWN:
            connection.execute(text(statement))
    with copy_file.connect() as reading, destination.begin() as writing:
        counts = copy_rows(reading, writing)
    assert "somebodys_own" not in counts
    assert contents(destination) == before
    assert [str(one.message) for one in recwarn if "reflection" in str(one.message)] == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DROP TABLE score", "no table 'score'"),
        ("ALTER TABLE score RENAME COLUMN space TO spaces", "table 'score' has no column 'space'"),
    ],
)
def test_a_copy_out_of_which_something_was_taken_is_refused(
    copy_file: Engine, destination: Engine, statement: str, says: str
) -> None:
    with copy_file.begin() as connection:
        connection.execute(text(statement))
    with copy_file.connect() as reading, destination.begin() as writing, pytest.raises(InputError, match=says):
        copy_rows(reading, writing)


def test_numbers_go_on_after_the_greatest(database: Database) -> None:
    with database.write.begin() as session:
        session.add(tables.Architecture(id=41, space="toy", text="a"))
    with database.engine.begin() as connection:
        set_sequences(connection)
    with database.write.begin() as session:
        session.add(row := tables.Architecture(space="toy", text="b"))
        session.flush()
        assert row.id == 42


def test_tables_come_after_those_that_they_refer_to(database: Database) -> None:
    with database.engine.connect() as connection:
        names = [table.name for table in reflected(connection)]
    assert names.index("target") < names.index("job") < names.index("measurement")
    assert "alembic_version" not in names
