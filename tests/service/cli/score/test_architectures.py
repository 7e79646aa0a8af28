"""Lists of architectures in files: columns by their names, parts of one size, and what is wrong with a file."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from latcast.schema import InputError
from service.cli.score.architectures import open_list


def test_a_table_is_read_in_parts_with_all_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("Arch\tsearch space\taccuracy\n" + "".join(f"t{n}\ts{n % 2}\t0{n}\n" for n in range(7)) + "\t\t\n")
    archs = open_list(path, None)
    parts = list(archs.parts(3))
    assert [len(part) for part in parts] == [3, 3, 2]
    assert archs.texts(parts[2]) == ["t6", ""]
    assert archs.spaces(parts[1]) == ["s1", "s0", "s1"]
    assert parts[0].column("accuracy").to_pylist() == ["00", "01", "02"]
    assert archs.survey() == (8, ["s0", "s1"])


def test_parquet_keeps_types_across_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b", None], "n": pa.array([1, 2, 3], pa.int16())}), path, row_group_size=1)
    archs = open_list(path, "nasbench201")
    (part,) = archs.parts(10)
    assert part.schema.field("n").type == pa.int16()
    assert archs.texts(part) == ["a", "b", ""]
    assert archs.spaces(part) == ["nasbench201"] * 3
    assert archs.survey() == (3, ["nasbench201"])


def test_lines_are_texts_but_for_remarks(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("# two\n a \n\nb\n")
    archs = open_list(path, "nasbench201")
    assert [archs.texts(part) for part in archs.parts(1)] == [["a"], ["b"]]
    before = archs.digest()
    path.write_text("a\nb\nc\n")
    assert archs.digest() != before


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(InputError, match=r"a\.parquet' cannot be read"):
        open_list(tmp_path / "a.parquet", "nasbench201")
    (tmp_path / "a.csv").write_text("text,b\nx\n")
    with pytest.raises(InputError, match=r"a\.csv' cannot be read.*[Cc]olumn"):
        list(open_list(tmp_path / "a.csv", "nasbench201").parts(10))
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"a\.txt' cannot be read"):
        list(open_list(tmp_path / "a.txt", "nasbench201").parts(10))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_lists_of_every_encoding_that_windows_writes_are_read(tmp_path: Path, encoding: str, name: str) -> None:
    text = "ä|b\nc\n" if name == "a.txt" else "text;accuracy\nä|b;1\nc;2\n"
    (tmp_path / name).write_text(text, encoding=encoding)
    archs = open_list(tmp_path / name, "nasbench201")
    assert [archs.texts(part) for part in archs.parts(10)] == [["ä|b", "c"]]
