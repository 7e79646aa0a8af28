"""Tables whose rows name ONNX files: paths, batches, units, repeated rows, and what is left out."""

import re
from pathlib import Path

import pytest

from latcast.schema import InputError, UnknownNameError
from predictors.data.importers import detect_format, import_models_table, read_any
from tests.predictors.data.importers.test_nnlqp import model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for channels in (4, 8):
        (tmp_path / f"{channels}.onnx").write_bytes(model(channels))
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07\x12 nothing")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "t.csv").write_text(text)
    return folder / "t.csv"


def test_rows_become_graphs_on_targets(folder: Path) -> None:
    path = write(folder, "device,model,latency_us,batch\npi,4.onnx,2500,\npi,8.onnx,3500,2\nphone,4.onnx,900,1\n")
    imported = read_any(path, origin="ours, CC0")
    rows = [
        (query.target.device, float(ms))
        for query, ms in zip(imported.dataset.queries, imported.dataset.latency_ms, strict=True)
    ]
    assert rows == [("pi", 2.5), ("pi", 3.5), ("phone", 0.9)]
    graphs = [query.graph for query in imported.dataset.queries]
    assert [graph.tensors[graph.inputs[0]].shape[0] for graph in graphs] == [1, 2, 1]
    assert set(imported.models) == {graph.hash for graph in graphs}
    assert {target.origin for target in imported.report.targets} == {"ours, CC0"}


def test_repeated_rows_count_with_their_median(folder: Path) -> None:
    path = write(folder, "target,onnx,ms\npi,4.onnx,1\npi,4.onnx,9\npi,4.onnx,2\n")
    imported = import_models_table(path)
    assert imported.dataset.latency_ms.tolist() == [2.0]
    assert imported.report.remarks == ("Rows that repeat a graph on its target: 2; their median counts.",)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("pi,absent.onnx,1,", "absent.onnx.*No such file"),
        ("pi,../4.onnx,1,", "leads out of the folder"),
        ("pi,broken.onnx,1,", "broken.onnx: "),
        ("pi,4.onnx,-1,", "taken as a failed run"),
        ("pi,4.onnx,fast,", "fast"),
        ("pi,4.onnx,1,two", "'two' is no positive integer"),
        (",4.onnx,1,", "have to be texts"),
    ],
)
def test_what_cannot_be_used_is_said(folder: Path, row: str, reason: str) -> None:
    path = write(folder, f"target,onnx,ms,batch\n{row}\npi,8.onnx,3,\n")
    (skipped,) = import_models_table(path).report.skipped
    assert skipped.what == "row 1"
    assert re.search(reason, skipped.reason)
    with pytest.raises(InputError, match=reason):
        import_models_table(write(folder, f"target,onnx,ms,batch\n{row}\n"))


def test_columns_by_other_names_and_values_of_all_rows(folder: Path) -> None:
    path = write(folder, "Netz;Dauer\n4.onnx;1,5\n")
    assert detect_format(path, columns={"onnx": "Netz"}) == "models"
    imported = read_any(path, columns={"onnx": "Netz", "ms": "Dauer"}, fixed={"target": "pi"}, unit="s")
    assert imported.dataset.latency_ms.tolist() == [1500.0]
    with pytest.raises(UnknownNameError, match="space"):
        import_models_table(path, columns={"space": "Netz"})


def test_tables_of_architectures_stay_what_they_are(folder: Path) -> None:
    assert detect_format(write(folder, "target,space,arch,model,ms\n")) == "table"
    assert detect_format(write(folder, "target,file,ms\n")) == "models"
    assert detect_format(write(folder, "a,b\n")) == "table"
