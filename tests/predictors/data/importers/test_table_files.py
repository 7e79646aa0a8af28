"""Rows of tables in the encodings and with the separators that spreadsheets write."""

import bz2
import gzip
import lzma
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from latcast.schema import InputError
from predictors.data.importers import table_files
from predictors.data.importers.table_files import open_table

TEXT = "target{0}space{0}text{0}ms\na{0}b{0}c d{0}3,5\n\n"


def rows(path: Path, **options: Any) -> list[dict[str, Any]]:
    with open_table(path, columns={}, fixed={}, **options) as table:
        return [dict(row) for row in table.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str) -> None:
    (tmp_path / "t.csv").write_text(TEXT.format(separator), encoding=encoding)
    assert rows(tmp_path / "t.csv") == [{"target": "a", "space": "b", "text": "c d", "ms": "3,5"}]
    with open_table(tmp_path / "t.csv", columns={}, fixed={}) as table:
        assert table.decimal_comma


def test_short_rows_and_columns_beside(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("target,space,seed,text,latency_us\na,b\nc,d,1,e,2\n")
    with open_table(tmp_path / "t.csv", columns={}, fixed={}) as table:
        assert (table.unit, table.others, table.decimal_comma) == ("us", ("seed",), False)
        assert [row["text"] for row in table.rows] == [None, "e"]


def test_a_missing_column_is_a_sentence_with_the_columns_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("phone,cell,x\n")
    with pytest.raises(InputError, match=r"lacks the column 'target'; its columns are 'phone', 'cell', 'x'.*--column"):
        rows(tmp_path / "t.csv")
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(InputError, match="its columns are none"):
        rows(tmp_path / "e.csv")
    (tmp_path / "w.csv").write_text(",".join(f"c{index}" for index in range(5000)))
    with pytest.raises(InputError, match="5,000 columns"):
        rows(tmp_path / "w.csv")


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"target,space,text,ms\n\xff\xfe\xfd,1,2,3\n")
    with pytest.raises(InputError, match="Save it as CSV UTF-8"):
        rows(tmp_path / "t.csv")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_tables_are_unpacked(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT.format(";").encode("utf-16"))
    (tmp_path / "t.csv").write_bytes(packed)
    assert rows(tmp_path / "t.csv")[0]["ms"] == "3,5"
    (tmp_path / "t.csv").write_bytes(packed[:-9])
    with pytest.raises(InputError, match="cannot be unpacked"):
        rows(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04", "ZIP archive or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1", "save the sheet as CSV"),
        (b"SQLite format 3\0", "SQLite database"),
        (b"\x89HDF\r\n", "HDF5"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path: Path, start: bytes, words: str) -> None:
    (tmp_path / "t.csv").write_bytes(start + b"target,space,text,ms")
    with pytest.raises(InputError, match=words):
        rows(tmp_path / "t.csv")


def test_lines_above_the_header_are_no_header(tmp_path: Path) -> None:
    told = "sep=;\n" + TEXT.format(";")
    titled = "Latencies of 2026\n;;;\n" + TEXT.format(";")
    for text in (told, titled, "\ufeff" + told):
        (tmp_path / "t.csv").write_text(text)
        assert rows(tmp_path / "t.csv") == [{"target": "a", "space": "b", "text": "c d", "ms": "3,5"}]


@pytest.mark.parametrize("name", ["Latency (ms)", "p50_us", "avg_latency_ms", "Inference time [µs]", "mean", "lat/s"])
def test_latencies_under_the_names_that_people_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.csv").write_text(f"Device,Search Space,arch,{name}\na,b,c,2\n")
    assert rows(tmp_path / "t.csv")[0]["ms"] == "2"


def test_parquet_is_told_by_its_content(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"device": ["a"], "space": ["b"], "arch": ["c"], "latency_ms": [2.5]})
    for name in ("t.pq", "T.PARQUET", "t.csv"):
        parquet.write_table(table, tmp_path / name)
        assert rows(tmp_path / name) == [{"target": "a", "space": "b", "text": "c", "ms": 2.5}]


def zeros(count: int) -> bytes:
    """A gzip file of so many MiB of one line, in as many KiB."""
    packer = zlib.compressobj(1, wbits=31)
    header = packer.compress(b"target,space,text,ms\n")
    return header + b"".join(packer.compress(bytes(2**20)) for _ in range(count)) + packer.flush()


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(zeros(512))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="a line of more than 4,194,304 characters, as no table has"):
            rows(tmp_path / "t.csv.gz")
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def test_a_line_of_the_longest_length_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "target,space,text,ms\na,b,c,1\n"
    monkeypatch.setattr(table_files, "_MOST_LINE", len("target,space,text,ms\n"))
    (tmp_path / "t.csv").write_text(text)
    assert rows(tmp_path / "t.csv") == [{"target": "a", "space": "b", "text": "c", "ms": "1"}]


def parquet(path: Path, **columns: Any) -> None:
    count = len(next(iter(columns.values())))
    usual = {"target": ["t"] * count, "space": ["zoo"] * count, "text": ["x"] * count, "ms": [1.0] * count}
    pyarrow.parquet.write_table(pyarrow.table({**usual, **columns}), path)


def test_a_text_that_parquet_repeats_is_there_once_and_a_long_one_is_refused(tmp_path: Path) -> None:
    """A file of eleven KiB may claim twelve GB of texts."""
    for length, says in ((100_000, None), (200_000, r"a text of the column 'text' has 200,000 bytes")):
        repeated = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 20_000, pyarrow.int32()), ["x" * length])
        parquet(tmp_path / "t.parquet", text=repeated)
        before = pyarrow.total_allocated_bytes()
        with open_table(tmp_path / "t.parquet", columns={}, fixed={}) as table:
            if says is None:
                assert sum(len(row["text"]) == length for row in table.rows) == 20_000
            else:
                with pytest.raises(InputError, match=says):
                    next(iter(table.rows))
            assert pyarrow.total_allocated_bytes() - before < 50 * 2**20


def test_parquet_that_claims_too_much_or_is_no_text_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "t.parquet", text=pyarrow.array([b"\xff\xfe"]).cast(pyarrow.string(), safe=False))
    with pytest.raises(InputError, match="not UTF-8"):
        rows(tmp_path / "t.parquet")
    monkeypatch.setattr(table_files, "_MOST_CHUNK_BYTES", 10)
    with pytest.raises(InputError, match="at most 10 are read: write it in smaller groups"):
        rows(tmp_path / "t.parquet")


def test_every_damage_to_parquet_is_a_sentence(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", text=["a", "b"])
    whole = (tmp_path / "t.parquet").read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "damaged.parquet").write_bytes(damaged)
        with suppress(InputError):
            rows(tmp_path / "damaged.parquet")


def test_two_columns_of_one_name_are_not_chosen_between(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("target,space,text,ms,seed,seed,ms\na,b,c,1,2,3,4\n")
    with pytest.raises(InputError, match="several columns 'ms', and nothing says which one counts"):
        rows(tmp_path / "t.csv")
    (tmp_path / "o.csv").write_text("target,space,text,ms,seed,seed\na,b,c,1,2,3\n")
    assert [row["ms"] for row in rows(tmp_path / "o.csv")] == ["1"]


def test_other_columns_that_may_be_the_latency_are_named_unless_one_was_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("target,space,text,latency_us,p50_ms,std_ms,total_ms\na,b,c,1,2,3,4\n")
    with open_table(tmp_path / "t.csv", columns={}, fixed={}) as table:
        assert (table.column, table.rivals) == ("latency_us", ("p50_ms",))
        assert table.remarks == [
            "The column 'latency_us' is read as the latency, not 'p50_ms': --column ms=NAME says otherwise."
        ]
    with open_table(tmp_path / "t.csv", columns={"ms": "p50_ms"}, fixed={}) as table:
        assert (table.column, table.unit, table.remarks) == ("p50_ms", "ms", [])
