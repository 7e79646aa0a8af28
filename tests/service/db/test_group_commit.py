"""What calls write at the same time is committed once; each is answered after that, and as if it were alone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from latcast.errors import ConflictError, UnavailableError
from latcast.schema import LatcastError
from service.db import tables
from service.db.group_commit import GroupCommit
from service.db.session import Database
from tests.service.helpers import transactions

PATIENCE_S = 60.0


def keep(session: Session, names: Sequence[str]) -> list[str | LatcastError]:
    """Writes a row for each name; some names are refused, some break the transaction."""
    if "broken" in names:
        raise ValueError("broken")
    if "twice" in names:
        for name in ("a", "b"):
            session.execute(insert(tables.Audit).values(id=10**6, action="kept", subject=name, detail={}))
    good = [name for name in names if name != "refused"]
    session.add_all([tables.Audit(action="kept", subject=name, detail={}) for name in good])
    return [ConflictError("No.") if name == "refused" else name.upper() for name in names]


def kept(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(tables.Audit.subject).order_by(tables.Audit.id)))


@pytest.fixture
def together(database: Database) -> Iterator[GroupCommit]:
    group = GroupCommit(database, [keep])
    yield group
    group.close()


@pytest.fixture
def commits(database: Database) -> list[list[str]]:
    """Of each transaction, its statements."""
    return transactions(database)


def submitted(group: GroupCommit, names: Sequence[str], **options: Any) -> list["Future[str]"]:
    """What is asked for before anything of it is looked at."""
    with group._changed:
        return [group.submit(keep, name, **options) for name in names]


def test_what_waits_is_committed_together(database: Database, together: GroupCommit, commits: list[list[str]]) -> None:
    names = [f"n{number}" for number in range(16)]
    answers = [one.result(PATIENCE_S) for one in submitted(together, names)]
    assert answers == [name.upper() for name in names]
    assert len(commits) == 1
    assert kept(database) == names


def test_no_more_than_so_many_are_in_one_transaction(database: Database, commits: list[list[str]]) -> None:
    group = GroupCommit(database, [keep], most=3)
    for one in submitted(group, [f"n{number}" for number in range(7)]):
        one.result(PATIENCE_S)
    group.close()
    assert len(commits) == 3
    assert len(kept(database)) == 7


def test_who_is_answered_has_what_it_wrote_committed(database: Database, together: GroupCommit) -> None:
    """Also while many write, and whoever is answered looks at once, over a connection of its own."""

    def write_and_look(name: str) -> bool:
        together.submit(keep, name).result(PATIENCE_S)
        return name in kept(database)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write_and_look, [f"n{number}" for number in range(40)]))


def test_nobody_is_answered_before_the_commit(database: Database, together: GroupCommit) -> None:
    answered: list[bool] = []
    futures: list[Future[str]] = []
    event.listen(database.engine, "commit", lambda _connection: answered.extend(one.done() for one in futures))
    futures += submitted(together, ["a", "b"])
    assert [one.result(PATIENCE_S) for one in futures] == ["A", "B"]
    assert answered == [False, False]


def test_who_is_refused_takes_nothing_from_the_others(database: Database, together: GroupCommit) -> None:
    a, refused, b = submitted(together, ["a", "refused", "b"])
    assert (a.result(PATIENCE_S), b.result(PATIENCE_S)) == ("A", "B")
    with pytest.raises(ConflictError, match=r"No\."):
        refused.result(PATIENCE_S)
    assert kept(database) == ["a", "b"]


@pytest.mark.parametrize(("bad", "error"), [("broken", ValueError), ("twice", IntegrityError)])
def test_what_cannot_be_written_is_undone_alone(
    database: Database, together: GroupCommit, bad: str, error: type[Exception]
) -> None:
    a, broken, b = submitted(together, ["a", bad, "b"])
    assert (a.result(PATIENCE_S), b.result(PATIENCE_S)) == ("A", "B")
    with pytest.raises(error):
        broken.result(PATIENCE_S)
    assert kept(database) == ["a", "b"]


def away() -> OperationalError:
    return OperationalError("INSERT", None, Exception("database is locked"))


def conflicting() -> OperationalError:
    cause = Exception("deadlock detected")
    cause.sqlstate = "40P01"  # type: ignore[attr-defined]
    return OperationalError("INSERT", None, cause)


@pytest.mark.parametrize(("error", "times"), [(away, 1), (conflicting, 4)])
def test_a_database_that_is_away_is_asked_once_for_all(
    database: Database, error: Callable[[], Exception], times: int
) -> None:
    """A transaction that was ended for another's sake is made again, one by one: the other has come through."""
    tried: list[int] = []

    def fail(_session: Session, names: Sequence[str]) -> list[str]:
        tried.append(len(names))
        raise error()

    group = GroupCommit(database, [fail])
    with group._changed:
        futures = [group.submit(fail, name) for name in "abc"]
    for one in futures:
        with pytest.raises(OperationalError):
            one.result(PATIENCE_S)
    group.close()
    assert len(tried) == times


def test_a_commit_that_fails_answers_nobody_with_success(
    database: Database, together: GroupCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_connection: object) -> None:
        raise away()

    event.listen(database.engine, "commit", refuse)
    futures = submitted(together, ["a", "b"])
    for one in futures:
        with pytest.raises(OperationalError):
            one.result(PATIENCE_S)
    event.remove(database.engine, "commit", refuse)
    assert kept(database) == []
    assert together.submit(keep, "c").result(PATIENCE_S) == "C"


def test_those_of_one_key_are_written_after_each_other(together: GroupCommit, commits: list[list[str]]) -> None:
    answers = submitted(together, ["a", "b", "c"], key="lease")
    assert [one.result(PATIENCE_S) for one in answers] == ["A", "B", "C"]
    assert len(commits) == 3


def test_what_nobody_waits_for_any_more_is_not_written(database: Database, together: GroupCommit) -> None:
    with together._changed:
        gone, stays = submitted(together, ["gone", "stays"])
        assert gone.cancel()
    assert stays.result(PATIENCE_S) == "STAYS"
    assert kept(database) == ["stays"]


def test_what_waits_at_the_end_is_written_and_nothing_more_is_taken(database: Database) -> None:
    group, going, may_go = GroupCommit(database, [keep]), threading.Event(), threading.Event()

    def hold(_connection: object) -> None:
        going.set()
        assert may_go.wait(PATIENCE_S)

    event.listen(database.engine, "commit", hold)
    first = group.submit(keep, "first")
    assert going.wait(PATIENCE_S)
    last = group.submit(keep, "last")
    threading.Timer(0.05, may_go.set).start()
    group.close()
    assert (first.result(0), last.result(0)) == ("FIRST", "LAST")
    assert kept(database) == ["first", "last"]
    with pytest.raises(UnavailableError, match="The service ends"):
        group.submit(keep, "late")


def test_what_nobody_carries_out_is_not_taken(together: GroupCommit) -> None:
    with pytest.raises(ValueError, match="not in list"):
        together.submit(kept, "a")  # type: ignore[arg-type]
