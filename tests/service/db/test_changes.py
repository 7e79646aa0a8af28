"""Commits of others are noticed on both databases, looks alone change nothing, and a database that is away is said."""

from sqlalchemy import delete, text, update

from service.db import tables
from service.db.changes import Changes
from service.db.session import Database, create_engine_for
from service.settings import Settings
from tests.service.helpers import OTHER_TARGET, TARGET, World


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
    if database.engine.dialect.name == "sqlite":  # PostgreSQL's log has entries of its own, too
        assert changes.generation == first
    assert (changes.of_keys, changes.of_target("t")) == (first, first)
    second = changes.generation
    commit(database)
    assert changes.look() is False
    assert changes.generation > second
    third = changes.generation
    other = Database(create_engine_for(Settings(database_url=database_url)))
    commit(other)
    other.close()
    before = changes.noticed_at
    changes.look()
    assert changes.generation > third
    assert changes.noticed_at > before
    changes.close()


def test_a_database_that_cannot_be_asked_makes_everything_out_of_date(tmp_path: object) -> None:
    away = Database(create_engine_for(Settings(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")))
    changes = Changes(away)
    changes.look()
    first = changes.generation
    changes.look()
    assert (changes.reachable, changes.generation > first) == (False, True)
    away.close()


def test_what_a_commit_was_about_is_told(world: World) -> None:
    """Measurements concern their target, adaptations and predictors all targets, and keys the keys."""
    agent = world.agent((TARGET, OTHER_TARGET))
    changes = Changes(world.database)

    def changed() -> set[str]:
        before = changes.of_keys, changes.of_target(TARGET.id), changes.of_target(OTHER_TARGET.id)
        generation = changes.generation
        changes.look()
        after = changes.of_keys, changes.of_target(TARGET.id), changes.of_target(OTHER_TARGET.id)
        names = zip(("keys", "target", "other"), before, after, strict=True)
        told = {name for name, old, new in names if old != new}
        return told | ({"anything"} if changes.generation > generation else set())

    assert changed() == {"keys", "target", "other", "anything"}
    assert changed() - {"anything"} == set()
    commit(world.database)
    assert changed() == {"anything"}
    world.measure(agent)
    assert "target" in changed() - {"keys"}
    world.measure(agent)
    assert changed() == {"target", "anything"}
    key = world.client.create_key("admin")
    assert changed() == {"keys", "anything"}
    with world.database.write.begin() as session:
        session.execute(update(tables.ApiKey).where(tables.ApiKey.id == key["id"]).values(revoked_unix_s=1.0))
    assert changed() == {"keys", "anything"}
    with world.database.write.begin() as session:
        session.add(tables.Artifact(digest="d", content=b""))
        session.flush()
        session.add(tables.Predictor(id="p", kind="flops", artifact_digest="d", metrics={}))
    assert changed() == {"target", "other", "anything"}
    with world.database.write.begin() as session:
        session.execute(update(tables.Predictor).values(active=False))
    assert changed() == {"target", "other", "anything"}
    with world.database.write.begin() as session:
        session.execute(delete(tables.KernelMeasurement))
        session.execute(delete(tables.CounterReading))
        session.execute(delete(tables.Measurement))
    assert changed() == {"target", "other", "anything"}, "what is gone may have been anybody's"
    changes.close()


def test_a_key_whose_end_is_moved_is_asked_about_again(world: World) -> None:
    key = world.client.create_key("admin")
    changes = Changes(world.database)
    changes.look()
    before = changes.of_keys
    for end in (2e9, 1.9e9):
        with world.database.write.begin() as session:
            session.execute(update(tables.ApiKey).where(tables.ApiKey.id == key["id"]).values(expires_unix_s=end))
        changes.look()
        assert changes.of_keys > before
        before = changes.of_keys
    changes.close()
