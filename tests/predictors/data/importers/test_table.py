"""Tables in CSV and Parquet; every row that cannot be read is named."""

from pathlib import Path

import pytest

from latcast.schema import InputError, UnknownNameError
from predictors.data.importers import import_table
from profilers.search_spaces.fbnet import FBNet
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
        f"a,nasbench201,{OTHER}",
    )
    imported = import_table(write(tmp_path / "t.csv", *rows))
    assert imported.dataset.latency_ms.tolist() == [1.5]
    skipped = {item.what: item.reason for item in imported.report.skipped}
    assert sum(skipped.rows for skipped in imported.report.skipped) == 6
    assert "nowhere" in skipped["row 4"]
    assert "not a number" in skipped["row 5"]
    assert "texts" in skipped["row 7"]
    assert "failed run" in skipped["row 6"]
    assert "failed run" in skipped["row 8"]
    assert "row 3" in skipped


def test_many_bad_rows_are_counted_not_listed(tmp_path: Path) -> None:
    imported = import_table(write(tmp_path / "t.csv", *["a,nowhere,x,1"] * 150))
    assert sum(skipped.rows for skipped in imported.report.skipped) == 150
    assert len(imported.report.skipped) == 101


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'ms'"):
        import_table(write(tmp_path / "t.csv", "a,b,c", header="target,space,text"))
    (tmp_path / "u.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-16"):
        import_table(tmp_path / "u.csv")
    with pytest.raises(InputError, match="Cannot read"):
        import_table(tmp_path / "absent.csv")


CELLS = [cell.text for cell in NASBench201().neighbours(NASBench201().parse(CELL))][:24]


def test_columns_and_spaces_have_the_names_that_people_use(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", f"phone,NAS-Bench-201,{CELL},2500", header="Device,Search Space,arch_str,Latency (µs)"
    )
    imported = import_table(path)
    assert imported.dataset.latency_ms.tolist() == [2.5]
    assert imported.dataset.queries[0].architecture.space == "nasbench201"
    assert imported.report.remarks == ()
    unnamed = import_table(write(tmp_path / "u.csv", f"p,nb201,{CELL},2", header="target,space,text,latency"))
    assert unnamed.report.remarks == ("The column 'latency' names no unit and is taken as ms; --unit says otherwise.",)


def test_columns_that_a_table_lacks_or_calls_otherwise_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", f"{CELL},0.5", header="cell,measured")
    imported = import_table(
        path, columns={"text": "cell", "ms": "measured"}, fixed={"target": "phone", "space": "nasbench201"}, unit="s"
    )
    assert imported.dataset.latency_ms.tolist() == [500.0]
    assert imported.report.targets[0].device == "phone"
    with pytest.raises(InputError, match=r"no column 'x'; its columns are 'cell', 'measured'"):
        import_table(path, columns={"ms": "x"}, fixed={"target": "p", "space": "s", "text": "t"})
    with pytest.raises(UnknownNameError, match="microseconds"):
        import_table(path, unit="hours")
    with pytest.raises(UnknownNameError, match="Unknown column of a table 'name'"):
        import_table(path, columns={"name": "cell"})


def test_a_column_that_tells_rows_of_a_network_apart_makes_targets(tmp_path: Path) -> None:
    rows = [
        f"phone,nasbench201,{cell},{data},{ms}" for cell in CELLS[:4] for data, ms in (("cifar10", 3), ("imagenet", 1))
    ]
    imported = import_table(write(tmp_path / "t.csv", *rows, header="target,space,text,dataset,ms"))
    assert [target.options["dataset"] for target in imported.report.targets] == ["cifar10", "imagenet"]
    assert len(imported.dataset) == 8
    assert "column 'dataset' tells rows of one network apart" in imported.report.remarks[0]
    slow = [f"phone,nasbench201,{cell},{data},{ms}" for cell in CELLS for data, ms in (("cifar10", 3e3), ("i", 1))]
    told = import_table(write(tmp_path / "s.csv", *slow, header="target,space,text,dataset,ms")).report.remarks
    looks = [remark.partition(":")[0] for remark in told if "looks like another unit" in remark]
    assert looks == ["phone (nasbench201, dataset cifar10)"], "a remark names the target that it is of"
    rows = [f"phone,nasbench201,{cell},{seed},3" for cell in CELLS[:4] for seed in (1, 2)]
    seeds = import_table(write(tmp_path / "s.csv", *rows, header="target,space,text,seed,ms"))
    assert len(seeds.report.targets) == 1, "runs of one measurement are no targets"


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "id", "timestamp"])
def test_columns_that_number_rows_tell_no_networks_apart(tmp_path: Path, name: str) -> None:
    rows = [f"{number},phone,nasbench201,{CELLS[number // 2]},{3 + number % 2}" for number in range(8)]
    imported = import_table(write(tmp_path / "t.csv", *rows, header=f"{name},target,space,text,ms"))
    assert len(imported.report.targets) == 1
    assert imported.dataset.latency_ms.tolist() == [3.5] * 4


def test_rows_that_look_like_seconds_or_two_targets_are_remarked(tmp_path: Path) -> None:
    rows = [f"phone,nasbench201,{cell},{0.002 + index / 10_000}" for index, cell in enumerate(CELLS)]
    (remark,) = import_table(write(tmp_path / "t.csv", *rows)).report.remarks
    assert "--unit s?" in remark
    rows = [f"phone,nasbench201,{cell},{(3 if index % 2 else 90) + index / 10}" for index, cell in enumerate(CELLS)]
    (remark,) = import_table(write(tmp_path / "u.csv", *rows)).report.remarks
    assert "two clusters" in remark


def test_networks_that_compute_nothing_may_take_no_time(tmp_path: Path) -> None:
    nothing = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    rows = [f"pi,nasbench201,{cell},25" for cell in CELLS[:6]] + [f"pi,nasbench201,{nothing},0.01"]
    assert len(import_table(write(tmp_path / "t.csv", *rows)).dataset) == 7
    failed = import_table(write(tmp_path / "u.csv", *rows[:-1], f"pi,nasbench201,{CELL},0.01"))
    assert len(failed.dataset) == 6


INDICES = ("[4 0 3 1 4 3]", "nasbench201:444440")
OWN = "|avg_pool_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
NASLIBS = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"


@pytest.mark.parametrize(("order", "first"), [("nasbench201", OWN), ("naslib", NASLIBS)])
def test_cells_that_are_written_as_indices_are_read_in_the_order_that_is_told(
    tmp_path: Path, order: str, first: str
) -> None:
    rows = [f"phone,nasbench201,{text},{ms}" for ms, text in enumerate(INDICES, start=1)]
    path = write(tmp_path / "t.csv", *rows, f"phone,nasbench201,{CELL},3", header="target,space,op_indices,ms")
    imported = import_table(path, order=order)
    assert [query.architecture.text for query in imported.dataset.queries if query.architecture] == [
        first, NASBench201().parse("nasbench201:444440").text, CELL
    ]  # fmt: skip


def test_indices_of_no_told_order_are_skipped_with_the_two_readings(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", f"phone,nasbench201,{INDICES[0]},1", f"phone,nasbench201,{CELL},3")
    (skipped,) = import_table(path).report.skipped
    assert skipped.what == "row 1"
    for part in (OWN, NASLIBS, "--order says which"):
        assert part in skipped.reason
    with pytest.raises(UnknownNameError, match=r"order of indices 'darts'.*nasbench201, naslib"):
        import_table(path, order="darts")


def test_lists_and_numbers_of_parquet_are_indices(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra [service] is not installed")
    from pyarrow import parquet

    same = {"ms": [1.5, 2.5], "space": ["nasbench201", "fbnet"], "target": ["a", "a"]}
    chain = [7, 8, 1, 8, 4, 8, 8, 8, 7, 4, 1, 4, 7, 3, 2, 7, 3, 2, 4, 2, 4, 5]
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({**same, "op_idx_list": [[4, 0, 3, 1, 4, 3], chain]}), path)
    texts = [query.architecture.text for query in import_table(path, order="nasbench201").dataset.queries]
    assert texts == [OWN, FBNet().from_operators(chain).text]
    parquet.write_table(pyarrow.table({**same, "space": ["nasbench201"] * 2, "text": [403143, 403144]}), path)
    assert len(import_table(path, order="naslib").dataset) == 2
