"""Rows of tables in the encodings and with the separators that spreadsheets write."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latcast.schema import InputError
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
