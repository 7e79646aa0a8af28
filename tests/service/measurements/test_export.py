"""Exports: every row in CSV, which no spreadsheet runs as formulas, and every sample in Parquet."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from service.db.tables import Graph
from service.measurements.export import _cell
from tests.service.helpers import CELL, OTHER_TARGET, TARGET, World, add_import


def test_the_precision_of_a_graphs_file_stands_beside_the_targets(measured: World, tmp_path: Path) -> None:
    with measured.database.write.begin() as session:
        first, second = session.scalars(select(Graph).order_by(Graph.created_unix_s).limit(2))
        first.summary = {**first.summary, "precision": "int8"}
        second.summary = {name: told for name, told in second.summary.items() if name != "precision"}  # of an old file
        expected = {first.hash: "int8", second.hash: ""}
    measured.client.export(TARGET.id, tmp_path / "rows.csv", file_format="csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text())))
    assert [row["file_precision"] for row in rows] == [expected.get(row["graph"], "fp32") for row in rows]
    assert {row["precision"] for row in rows} == {TARGET.precision}
    measured.client.export(TARGET.id, tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet")["file_precision"].to_pylist()[0] == rows[0]["file_precision"]
    listed = measured.client.measurements(TARGET.id)
    assert {row["graph"]: row["file_precision"] for row in listed}.items() >= expected.items()


@pytest.mark.slow
def test_csv_holds_every_row_and_no_formula(measured: World, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    measured.client.export(TARGET.id, path, file_format="csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert len(rows) == 7
    assert float(rows[0]["median_ms"]) == pytest.approx(1.05)
    assert (rows[0]["device"], rows[0]["backend"], rows[0]["threads"]) == ("bench", "fake", str(TARGET.threads))
    assert rows[-1]["failure_message"] == "'=cmd|' /C calc'!A0"
    cells = [value for row in rows for value in row.values() if value]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u3000", "\u2003  "])
@pytest.mark.parametrize("sign", list("=+-@＝＋－＠﹢﹣﹦﹫−"))
def test_no_blank_or_wide_sign_hides_a_formula(blank: str, sign: str) -> None:
    assert _cell(f"{blank}{sign}1+1") == f"'{blank}{sign}1+1"
    assert _cell(f"a{blank}{sign}1") == f"a{blank}{sign}1"


@pytest.mark.parametrize("control", ["\t", "\r", "\n", "\v", "\0", "\x1b", "\u200b", "\ufeff"])
def test_control_characters_in_cells_are_escapes(control: str) -> None:
    cell = _cell(f"{control}=1+1")
    assert isinstance(cell, str)
    assert cell.startswith("\\")
    assert cell.isprintable()
    assert _cell(-1.5) == -1.5


def test_parquet_holds_every_sample(measured: World, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    measured.client.export(TARGET.id, path)
    table = pq.read_table(path)
    assert table.num_rows == 7
    assert table["samples_ms"][0].as_py() == [[1.0, 1.0, 1.0], [pytest.approx(1.1)]]
    (kernel,), (counted, absent) = table["kernels"][0].as_py(), table["counters"][0].as_py()
    assert (kernel["operator"], kernel["time_ms"], kernel["input_shapes"]) == ("MatMul", 1.0, [[1, 8], [8, 4]])
    assert (counted["event"], counted["value"], absent["absent"]) == ("instructions", 1e6, "no PMU")
    assert (table["kernels"][6].as_py(), table["device"][6].as_py()) == (None, "bench")
    assert json.loads(table.schema.metadata[b"latcast"])["device"]["processor"] == "Some CPU"
    assert table["failure_message"][6].as_py() == "=cmd|' /C calc'!A0"  # Parquet runs no formulas
    measured.client.export(OTHER_TARGET.id, path)
    assert pq.read_table(path).num_rows == 0


def test_export_of_an_imported_target(measured: World, tmp_path: Path) -> None:
    target = add_import(measured)
    measured.client.export(target, tmp_path / "rows.csv", file_format="csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text()))
    assert (row["statistic"], row["text"]) == ("mean", CELL)
    (listed,) = measured.client.measurements(target)
    assert measured.http.get(f"/v1/measurements/{listed['id']}").status_code == 422
    shown = measured.client.target(target)
    assert (shown["device_id"], shown["device_name"], shown["origin"]) == (None, "pixel", "table.csv (MIT)")
