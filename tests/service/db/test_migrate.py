"""Migrations lead from nothing to exactly the tables of the code."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from service.db.migrate import current_revision, head_revision, migrations_dir, upgrade
from service.db.session import Database
from service.db.tables import Base


def test_migrated_database_equals_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        assert current_revision(connection) == head_revision()


def test_every_constraint_of_the_tables_is_migrated(database: Database, tmp_path: Path) -> None:
    """Autogeneration does not compare CHECK constraints; this does."""
    migrated = inspect(database.engine)
    for table in Base.metadata.sorted_tables:
        wanted = {c.name for c in table.constraints if type(c).__name__ == "CheckConstraint"}
        assert {c["name"] for c in migrated.get_check_constraints(table.name)} == wanted


def test_upgrading_again_changes_nothing(database: Database) -> None:
    with database.write.begin() as session:
        session.execute(text("INSERT INTO artifact (digest, content, created_unix_s) VALUES ('d', '', 0)"))
    upgrade(database.engine)
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM artifact")) == 1


def test_migrations_are_found_in_the_source_tree_and_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrations_dir().name == "migrations"
    installed = tmp_path / "service" / "_migrations"
    installed.mkdir(parents=True)
    monkeypatch.setattr("service.db.migrate.__file__", str(tmp_path / "service" / "db" / "migrate.py"))
    assert migrations_dir() == installed


def test_an_old_database_is_not_ready(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with engine.connect() as connection:
        assert current_revision(connection) is None
    engine.dispose()
