"""Statements for both databases: values in parts, insertions that leave out what is there, and locks."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from service.db.session import Database
from service.db.statements import CHUNK, chunks, insert_missing, lock_until_commit
from service.db.tables import Architecture


def test_chunks_hold_every_value_once_in_order() -> None:
    values = list(range(2 * CHUNK + 1))
    parts = list(chunks(values))
    assert [len(part) for part in parts] == [CHUNK, CHUNK, 1]
    assert [value for part in parts for value in part] == values
    assert list(chunks(set())) == []


def test_what_is_there_stays_as_it_is(database: Database) -> None:
    rows = [{"space": "s", "text": "a"}, {"space": "s", "text": "b"}]
    with database.write.begin() as session:
        session.execute(insert_missing(session, Architecture).values(rows[0]))
        first = session.scalar(select(Architecture.id))
    with database.engine.begin() as connection:
        connection.execute(insert_missing(connection, Architecture), rows)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Architecture)) == 2
        assert session.scalar(select(Architecture.id).where(Architecture.text == "a")) == first


def test_rows_can_be_selected_into_a_table(database: Database) -> None:
    with database.write.begin() as session:
        session.add(Architecture(space="s", text="a"))
        session.flush()
        rows = select(Architecture.space, Architecture.text + "!").where(Architecture.space == "s")
        for _ in range(2):
            session.execute(insert_missing(session, Architecture).from_select(["space", "text"], rows))
        assert sorted(session.scalars(select(Architecture.text))) == ["a", "a!", "a!!"]


def test_a_lock_is_held_to_the_end_of_the_transaction(database: Database) -> None:
    order: list[str] = []

    def second() -> None:
        with database.engine.begin() as connection:
            lock_until_commit(connection, 7)
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with database.engine.begin() as connection:
            lock_until_commit(connection, 7)
            waiting = pool.submit(second)
            order.append("first")
        waiting.result(timeout=30)
    assert order == ["first", "second"]
