"""Commits of others are noticed on both databases, looks alone change nothing, and a database that is away is said."""

from sqlalchemy import text

from service.db import tables
from service.db.changes import Changes
from service.db.session import Database, create_engine_for
from service.settings import Settings


def commit(database: Database) -> None:
    with database.write.begin() as session:
        session.add(tables.Architecture(space="s", text=f"t{session.query(tables.Architecture).count()}"))


def test_commits_are_noticed_and_looks_are_not(database: Database, database_url: str) -> None:
    changes = Changes(database)
    assert not changes.reachable
    changes.look()
    assert changes.reachable
    first = changes.generation
    changes.look()
    with database.read() as session:
        session.execute(text("SELECT 1"))
    changes.look()
    assert changes.generation == first
    commit(database)
    assert changes.look() is False
    assert changes.generation == first + 1
    other = Database(create_engine_for(Settings(database_url=database_url)))
    commit(other)
    other.close()
    before = changes.noticed_at
    changes.look()
    assert (changes.generation, changes.noticed_at > before) == (first + 2, True)
    changes.close()


def test_a_database_that_cannot_be_asked_makes_everything_out_of_date(tmp_path: object) -> None:
    away = Database(create_engine_for(Settings(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")))
    changes = Changes(away)
    changes.look()
    first = changes.generation
    changes.look()
    assert (changes.reachable, changes.generation > first) == (False, True)
    away.close()
