"""Of several rows about one thing the newest that is not noisy counts, else the newest."""

from dataclasses import dataclass

from service.db.representative import representatives


@dataclass
class Row:
    id: int
    noisy: bool
    of: str = "a"


def chosen(*rows: Row) -> dict[str, int]:
    return {key: row.id for key, row in representatives(rows, key=lambda row: row.of).items()}


def test_the_newest_quiet_row_represents_whatever_the_order() -> None:
    rows = [Row(1, noisy=False), Row(2, noisy=False), Row(3, noisy=True)]
    assert chosen(*rows) == chosen(*reversed(rows)) == {"a": 2}


def test_the_newest_row_represents_where_all_are_noisy() -> None:
    assert chosen(Row(2, noisy=True), Row(1, noisy=True), Row(5, noisy=False, of="b")) == {"a": 2, "b": 5}
    assert chosen() == {}
