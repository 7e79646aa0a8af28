"""Which published table a path holds, and what is said of a path that holds none."""

import gzip
import pickle
from pathlib import Path

import pytest

from latcast.schema import InputError, UnknownNameError
from predictors.data.importers import detect_format, read_any
from profilers.search_spaces.nasbench201 import NASBench201
from tests.predictors.tables import write_cells


def test_each_format_is_recognised(tmp_path: Path) -> None:
    write_cells(tmp_path / "a" / "help", count=20, devices=("fpga",))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.pickle").write_bytes(pickle.dumps({(1,) * 6: 0.1}))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "gt.txt").write_text("")
    (tmp_path / "d.csv").write_text(f"target,space,text,ms\na,nasbench201,{NASBench201.example},1\n")
    result = {name: detect_format(tmp_path / name) for name in ("a", "b", "b/x.pickle", "c", "d.csv")}
    assert result == {"a": "help", "b": "latbench", "b/x.pickle": "latbench", "c": "nnlqp", "d.csv": "table"}
    assert read_any(tmp_path / "a").report.rows == 20
    assert read_any(tmp_path / "b").report.rows == 1
    assert read_any(tmp_path / "d.csv", origin="mine").report.targets[0].origin == "mine"


def test_packed_tables_and_workbooks_are_tables(tmp_path: Path) -> None:
    packed = gzip.compress(f"target,space,text,ms\na,nasbench201,{NASBench201.example},1\n".encode())
    (tmp_path / "d.csv.gz").write_bytes(packed)
    assert read_any(tmp_path / "d.csv.gz").report.rows == 1
    (tmp_path / "d.xlsx").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(InputError, match="save the sheet as CSV"):
        read_any(tmp_path / "d.xlsx")


def test_what_nobody_reads_says_what_could_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("")
    for path in (tmp_path, tmp_path / "x.txt"):
        with pytest.raises(InputError, match=r"gt\.txt"):
            read_any(path)
    with pytest.raises(InputError, match="does not exist"):
        read_any(tmp_path / "absent")
    with pytest.raises(UnknownNameError, match="latbench"):
        read_any(tmp_path, kind="latbensh")
