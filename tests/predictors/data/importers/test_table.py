"""Tables in CSV and Parquet; every row that cannot be read is named."""

from pathlib import Path

import pytest

from latcast.schema import InputError
from predictors.data.importers import import_table
from profilers.search_spaces.nasbench201 import NASBench201

CELL = NASBench201.example
OTHER = CELL.replace("avg_pool_3x3", "none")


def write(path: Path, *rows: str, header: str = "target,space,text,ms") -> Path:
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_csv_rows_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", f"phone,nasbench201,{CELL},12.5", f"board,nasbench201,{OTHER},7")
    imported = import_table(path, origin="mine, CC0")
    assert imported.dataset.latency_ms.tolist() == [12.5, 7.0]
    assert [target.device for target in imported.report.targets] == ["phone", "board"]
    assert {target.origin for target in imported.report.targets} == {"mine, CC0"}


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra [service] is not installed")
    from pyarrow import parquet

    columns = {"ms": [1.5, 2.5], "text": [CELL, OTHER], "space": ["nasbench201"] * 2, "target": ["a", "b"], "x": [0, 0]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    imported = import_table(tmp_path / "t.parquet")
    assert imported.dataset.latency_ms.tolist() == [1.5, 2.5]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="Parquet"):
        import_table(tmp_path / "bad.parquet")


def test_each_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    rows = (
        f"a,nasbench201,{CELL},1",
        f"a,nasbench201,{CELL},2",
        "a,nasbench201,broken,1",
        f"a,nowhere,{CELL},1",
        f"a,nasbench201,{OTHER},fast",
        f"a,nasbench201,{OTHER},0",
        f",nasbench201,{OTHER},1",
        "a,nasbench201",
    )
    imported = import_table(write(tmp_path / "t.csv", *rows))
    assert imported.dataset.latency_ms.tolist() == [1.0]
    skipped = {item.what: item.reason for item in imported.report.skipped}
    assert sum(skipped.rows for skipped in imported.report.skipped) == 7
    assert "nowhere" in skipped["row 4"]
    assert "not a number" in skipped["row 5"]
    assert "texts" in skipped["row 7"]
    assert {"row 3", "row 8", "a nasbench201"} <= set(skipped)


def test_many_bad_rows_are_counted_not_listed(tmp_path: Path) -> None:
    imported = import_table(write(tmp_path / "t.csv", *["a,nowhere,x,1"] * 150))
    assert sum(skipped.rows for skipped in imported.report.skipped) == 150
    assert len(imported.report.skipped) == 101


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'ms'"):
        import_table(write(tmp_path / "t.csv", "a,b,c", header="target,space,text"))
    (tmp_path / "u.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        import_table(tmp_path / "u.csv")
    with pytest.raises(InputError, match="Cannot read"):
        import_table(tmp_path / "absent.csv")
