"""Parts of a result: whole or not there, one writer at a time, joined in order."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from latcast.schema import InputError
from service.cli.score.parts import open_parts

PLAN = {"asked": {"targets": ["a"], "level": 0.9}, "rows": 3}


def part(*numbers: int) -> pa.Table:
    errors = pa.array(["no" if number == 2 else None for number in numbers], pa.string())
    return pa.table({"n": list(numbers), "error": errors})


def test_parts_are_joined_in_order_and_go(tmp_path: Path) -> None:
    with open_parts(tmp_path / "out.parquet") as parts:
        assert parts.plan(PLAN["asked"]) is None  # type: ignore[arg-type]
        parts.begin(PLAN, {"artifact": b"abc"})
        parts.keep(1, part(2))
    assert not (tmp_path / "out.parquet").exists()
    with open_parts(tmp_path / "out.parquet") as parts:
        assert parts.plan(PLAN["asked"]) == PLAN  # type: ignore[arg-type]
        assert parts.file("artifact") == b"abc"
        assert [parts.done(number) for number in range(2)] == [False, True]
        parts.keep(0, part(0, 1))
        assert [parts.failed(number) for number in range(2)] == [0, 1]
        assert parts.join(tmp_path / "out.parquet", 2) == 3
    assert pq.read_table(tmp_path / "out.parquet").column("n").to_pylist() == [0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_another_plan_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    with open_parts(tmp_path / "out.parquet") as parts:
        parts.begin(PLAN, {})
        with pytest.raises(InputError, match=r"\(level\)"):
            parts.plan({"targets": ["a"], "level": 0.8})


def test_two_do_not_write_one_result(tmp_path: Path) -> None:
    with open_parts(tmp_path / "out.parquet") as parts:
        parts.begin(PLAN, {})
        with pytest.raises(InputError, match="Another process"), open_parts(tmp_path / "out.parquet"):
            pass
        assert parts.plan(PLAN["asked"]) == PLAN  # type: ignore[arg-type]


def test_what_was_not_begun_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), open_parts(tmp_path / "out.parquet"):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []
