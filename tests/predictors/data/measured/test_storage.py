"""Rows and targets come back from their Parquet files as they were written, and other files are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="the extra [service] is not installed")

import pyarrow
import pyarrow.parquet

from latcast.schema import InputError
from predictors.data.measured import ROWS_FILE, TARGETS_FILE, About, MeasuredTarget, read_about, read_rows, read_targets
from predictors.data.measured.storage import write_rows, write_targets
from tests.predictors.data.measured.campaigns import DEVICE, KERNELS, ONE, TWO
from tests.predictors.data.measured.rows import ROWS, row


def test_rows_survive(tmp_path: Path) -> None:
    rows = [*ROWS, row(6, counters={"page-faults": 2.0}, kernels=()), row(7, kernels=None)]
    write_rows(tmp_path / ROWS_FILE, rows)
    assert read_rows(tmp_path) == rows
    assert [path.name for path in tmp_path.iterdir()] == [ROWS_FILE], "no draft is left behind"


def test_kernels_are_stored_as_shares_of_the_latency(tmp_path: Path) -> None:
    write_rows(tmp_path / ROWS_FILE, [row(2, latency_ms=2.0, kernels=KERNELS)])
    (read,) = read_rows(tmp_path)
    assert read.kernels == (replace(KERNELS[0], time_ms=1.5), replace(KERNELS[1], time_ms=0.5))


def test_targets_keep_device_descriptor_and_versions(tmp_path: Path) -> None:
    targets = [
        MeasuredTarget(target=ONE, device=DEVICE, microbench={"gemm_ms": 0.5}, versions={"python": "3.11"}),
        MeasuredTarget(target=TWO, device=DEVICE),
    ]
    write_targets(tmp_path / TARGETS_FILE, targets, About(licence="CC0-1.0", notes=("One.", "Two.")))
    assert read_targets(tmp_path) == targets
    assert read_about(tmp_path) == About(licence="CC0-1.0", notes=("One.", "Two."))


def test_folders_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    for read in (read_rows, read_targets, read_about):
        with pytest.raises(InputError, match="dataset pack"):
            read(tmp_path)
    (tmp_path / ROWS_FILE).write_text("text")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_rows(tmp_path)


def test_other_formats_and_missing_columns_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path / ROWS_FILE, ROWS)
    table = pyarrow.parquet.read_table(tmp_path / ROWS_FILE)
    pyarrow.parquet.write_table(table.drop_columns(["slowness"]), tmp_path / ROWS_FILE)
    with pytest.raises(InputError, match="lacks the column 'slowness'"):
        read_rows(tmp_path)
    pyarrow.parquet.write_table(table.replace_schema_metadata({"latcast.format": "9"}), tmp_path / ROWS_FILE)
    with pytest.raises(InputError, match="format 9"):
        read_rows(tmp_path)


def test_a_target_whose_id_does_not_follow_from_its_fields_is_refused(tmp_path: Path) -> None:
    write_targets(tmp_path / TARGETS_FILE, [MeasuredTarget(target=ONE, device=DEVICE)], About())
    table = pyarrow.parquet.read_table(tmp_path / TARGETS_FILE)
    place = table.column_names.index("threads")
    changed = table.set_column(place, table.schema.field("threads"), pyarrow.array([7]))
    pyarrow.parquet.write_table(changed, tmp_path / TARGETS_FILE)
    with pytest.raises(InputError, match="does not have the id"):
        read_targets(tmp_path)
