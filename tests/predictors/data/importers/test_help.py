"""HELP's tables as targets and rows; damaged and foreign files are named."""

import os
from pathlib import Path

import numpy as np
import pytest

from latcast.schema import InputError, UnknownNameError
from predictors.data.importers import import_help
from predictors.data.importers.help import help_folder, read_table, table_spaces, target_of
from predictors.data.splits import row_keys
from tests.predictors.tables import CELL_DEVICES, needs_spaces, published_data, save_torch, write_cells, write_chains


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cells(tmp_path, count=40, devices=("1080ti_32", "essential_ph_1", "gold_6226"))
    return tmp_path


def test_every_column_is_a_target(folder: Path) -> None:
    imported = import_help(folder)
    assert imported.report.rows == len(imported.dataset) == 3 * 40
    assert imported.report.skipped == ()
    by_name = {target.device: target for target in imported.report.targets}
    assert {name: target.options["batch"] for name, target in by_name.items()} == {
        "1080ti_32": "32",
        "essential_ph_1": "1",
        "gold_6226": "1",
    }
    assert all("MIT" in target.origin and target.backend == "imported" for target in by_name.values())
    assert len({target.id for target in by_name.values()}) == 3


def test_rows_are_as_the_files_have_them(folder: Path) -> None:
    table = read_table(folder, "nasbench201")
    imported = import_help(folder)
    assert table.references == tuple(range(0, 40, 4))
    rows = imported.dataset.targets()[target_of("nasbench201", "gold_6226").id]
    assert imported.dataset.latency_ms[rows].tolist() == table.latency_ms["gold_6226"].tolist()
    assert [imported.dataset.queries[i].architecture for i in rows] == list(table.architectures)
    keys = row_keys(imported.dataset)
    assert len(set(zip(keys, [query.target.id for query in imported.dataset.queries], strict=True))) == len(keys)


@pytest.mark.parametrize("nested", ["", "help", "data", "help/data"])
def test_the_folder_is_found(tmp_path: Path, nested: str) -> None:
    write_cells(tmp_path / nested, count=110, devices=("fpga",))
    assert help_folder(tmp_path) == tmp_path / nested
    assert table_spaces(tmp_path) == ("nasbench201",)


def test_a_folder_without_tables_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="clone"):
        import_help(tmp_path)


def test_a_foreign_file_is_skipped_and_named(folder: Path) -> None:
    latency = folder / "nasbench201" / "latency"
    (latency / "broken.pt").write_text("not a table")
    save_torch(latency / "short.pt", [1.0, 2.0])
    save_torch(latency / "words.pt", ["a"] * 40)
    save_torch(latency / "holes.pt", [0.0, -1.0, float("nan"), float("inf"), *[1.0] * 36])
    imported = import_help(folder)
    assert imported.report.rows == 3 * 40 + 36
    reasons = {item.what: (item.rows, item.reason) for item in imported.report.skipped}
    assert "nasbench201/latency/broken.pt" in reasons
    assert "2 latencies for 40 architectures" in reasons["nasbench201/latency/short.pt"][1]
    assert "something else" in reasons["nasbench201/latency/words.pt"][1]
    assert reasons["holes nasbench201 batch 1"][0] == 4


def test_a_damaged_index_skips_the_space_and_keeps_the_others(folder: Path, tmp_path: Path) -> None:
    save_torch(folder / "nasbench201" / "str_arch2idx.pt", {"not a cell": 0})
    write_chains(folder)
    imported = import_help(folder)
    assert {target.options["space"] for target in imported.report.targets} == {"fbnet", "ofa_mbv3"}
    assert [item.what for item in imported.report.skipped] == ["nasbench201"]
    with pytest.raises(InputError):
        read_table(folder, "nasbench201")


@pytest.mark.parametrize("entry", [{}, {"op_idx_list": [9] * 22}, {"op_idx_list": [0] * 21}, {"op_idx_list": "x"}, 3])
def test_a_malformed_architecture_refuses_the_table(tmp_path: Path, entry: object) -> None:
    write_chains(tmp_path)
    save_torch(tmp_path / "fbnet" / "metainfo.pt", {"arch": [entry]})
    with pytest.raises(InputError):
        read_table(tmp_path, "fbnet")


def test_chains_are_read(tmp_path: Path) -> None:
    write_chains(tmp_path, count=12)
    for space in ("fbnet", "ofa_mbv3"):
        table = read_table(tmp_path, space)
        assert len(table) == 12
        assert {architecture.space for architecture in table.architectures} == {space}
        assert table.column("fpga")[3] == pytest.approx(2.3)


def test_unknown_names_list_the_known(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="nasbench201"):
        read_table(folder, "nasbench")
    with pytest.raises(UnknownNameError, match="gold_6226"):
        read_table(folder, "nasbench201").column("gold")


def test_a_part_of_the_table_keeps_rows_together(folder: Path) -> None:
    table = read_table(folder, "nasbench201")
    part = table.subset(np.array([30, 4, 16]))
    assert part.architectures == [table.architectures[i] for i in (30, 4, 16)]
    assert part.references == (1, 2)
    assert part.column("gold_6226").tolist() == table.column("gold_6226")[[30, 4, 16]].tolist()


@needs_spaces
@pytest.mark.slow
def test_the_published_tables_are_read_whole() -> None:
    imported = import_help(published_data())
    assert imported.report.skipped == ()
    assert imported.report.rows == 27 * 15_625 + 27 * 5_000 + 12 * 5_000
    assert set(CELL_DEVICES) <= {target.device for target in imported.report.targets}
    assert os.environ["LATCAST_DATA"] not in imported.report.source
