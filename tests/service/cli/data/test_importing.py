"""`latcast import` as a person meets it."""

import json
import pickle
from pathlib import Path

import pytest
import typer
from sqlalchemy import func, select
from typer.testing import CliRunner

from latcast.schema import InputError, LatcastError, UnknownNameError
from service.cli import own_database
from service.cli.data.importing import import_table
from service.db import tables
from service.db.session import Database, create_engine_for
from service.operations import running
from service.operations.running import RunningService, leave_note
from service.settings import Settings
from tests.predictors.tables import save_torch, write_cells
from tests.service.helpers import CELL, model


def invoke(*arguments: object) -> str:
    """Standard output; errors are raised as `latcast` meets them."""
    app = typer.Typer()
    app.command("import")(import_table)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, LatcastError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def write(folder: Path, *rows: str) -> Path:
    path = folder / "t.csv"
    path.write_text("\n".join(["target,space,text,ms", *rows]), encoding="utf-8")
    return path


def test_it_says_what_it_read_skipped_and_why_and_that_nothing_is_new(new_sqlite: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"phone,nasbench201,{CELL},2", "phone,nasbench201,broken,2", f"pi,nowhere,{CELL},1")
    first = invoke(path, "--database-url", new_sqlite, "--origin", "ours, CC0")
    assert "1 latency of 1 target" in first
    assert "nasbench201: phone" in first
    assert "Skipped row 2" in first
    assert "'nowhere'" in first
    assert "Added 1 latency and 1 target" in first
    assert "Nothing is new: 1 latency" in invoke(path, "--database-url", new_sqlite, "--origin", "ours, CC0")


def test_every_kind_of_table(new_sqlite: str, tmp_path: Path) -> None:
    write_cells(tmp_path / "repo" / "data", count=20, devices=("fpga", "raspi4"))
    (tmp_path / "lat").mkdir()
    (tmp_path / "lat" / "gpu.pickle").write_bytes(pickle.dumps({(1,) * 6: 0.1, (2,) * 6: 0.2}))
    (tmp_path / "nn").mkdir()
    (tmp_path / "nn" / "a.onnx").write_bytes(model(3))
    (tmp_path / "nn" / "gt.txt").write_text("1 a.onnx 1 2.5 net 2\n")
    for name, added in (("repo", "40 latencies"), ("lat", "2 latencies"), ("nn", "1 latency")):
        assert f"Added {added}" in invoke(tmp_path / name, "--database-url", new_sqlite)


def test_foreign_files_change_nothing_and_say_what_is_wrong(new_sqlite: str, tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("ran",)

    (tmp_path / "harm.pickle").write_bytes(pickle.dumps(Harm()))
    (tmp_path / "cut.pickle").write_bytes(pickle.dumps({(1,) * 6: 0.1})[:-9])
    (tmp_path / "note.txt").write_text("hello")
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "noise.parquet").write_bytes(b"PAR1" + bytes(999) + b"PAR1")
    (tmp_path / "empty.csv").write_text("target,space,text,ms\n")
    write_cells(tmp_path / "data", count=20, devices=("fpga",))
    save_torch(tmp_path / "data" / "nasbench201" / "latency" / "fpga.pt", [1.0] * 3)
    (tmp_path / "nn").mkdir()
    (tmp_path / "nn" / "gt.txt").write_text("1 ../secret.onnx 1 2.5 net 2\n")
    said = {}
    names = ("harm.pickle", "cut.pickle", "note.txt", "noise.csv", "noise.parquet", "empty.csv", "data", "nn", "absent")
    for name in names:
        with pytest.raises(InputError) as refusal:
            invoke(tmp_path / name, "--database-url", new_sqlite)
        said[name] = str(refusal.value)
        assert said[name].endswith(".")
    assert "print" in said["harm.pickle"]
    assert "3 latencies for 20 architectures" in said["data"]
    assert "out of the folder" in said["nn"]
    database = Database(create_engine_for(Settings(database_url=new_sqlite)))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(tables.Target)) == 0
    database.close()


def test_options_that_do_not_fit_are_refused(new_sqlite: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"phone,nasbench201,{CELL},2")
    with pytest.raises(UnknownNameError, match="latbench"):
        invoke(path, "--kind", "latbensh", "--database-url", new_sqlite)
    write_cells(tmp_path / "data", count=20, devices=("fpga",))
    with pytest.raises(InputError, match="--origin"):
        invoke(tmp_path / "data", "--origin", "mine", "--database-url", new_sqlite)


def test_a_table_of_another_tool_and_the_output_of_a_benchmark(new_sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"arch;t\n{CELL};0,0125\n", encoding="utf-16")
    said = invoke(
        tmp_path / "p.csv", "--device", "Pixel 8", "--space", "nb201", "--column", "text=arch", "--column", "ms=t",
        "--unit", "s", "--database-url", new_sqlite,
    )  # fmt: skip
    assert "nasbench201: Pixel 8" in said
    (tmp_path / "m.onnx").write_bytes(model(3))
    (tmp_path / "times.json").write_text('[{"latencyMs": 2.5}]')
    said = invoke(
        tmp_path / "times.json", "--model", tmp_path / "m.onnx", "--device", "Orin", "--database-url", new_sqlite
    )
    assert "Read times.json (trtexec, median): 1 latency of 1 target." in said
    assert "models: Orin (tool trtexec)" in said
    engine = create_engine_for(Settings(database_url=new_sqlite))
    with Database(engine).read() as session:
        assert sorted(session.scalars(select(tables.Measurement.median_ms))) == [2.5, 12.5]


@pytest.mark.parametrize("sizes", [("--dim", "n=2"), ("--shape", "x=[2,8]")])
def test_a_model_of_dynamic_sizes_is_measured_at_those_that_are_named(
    new_sqlite: str, tmp_path: Path, sizes: tuple[str, str]
) -> None:
    (tmp_path / "m.onnx").write_bytes(model(3, batch="n"))
    (tmp_path / "times.json").write_text('[{"latencyMs": 2.5}]')
    arguments = (tmp_path / "times.json", "--model", tmp_path / "m.onnx", "--device", "Orin")
    with pytest.raises(InputError, match="not bound"):
        invoke(*arguments, "--database-url", new_sqlite)
    said = invoke(*arguments, *sizes, "--database-url", new_sqlite)
    assert "Read times.json (trtexec, median): 1 latency of 1 target." in said


def test_options_of_tables_are_refused_for_other_kinds(new_sqlite: str, tmp_path: Path) -> None:
    write_cells(tmp_path / "data", count=20, devices=("fpga",))
    with pytest.raises(InputError, match="bring their own"):
        invoke(tmp_path, "--unit", "s", "--database-url", new_sqlite)


def test_what_was_imported_and_left_out_can_be_had_as_json(new_sqlite: str, tmp_path: Path) -> None:
    table = write(tmp_path, f"phone,nasbench201,{CELL},3.5", f"phone,nasbench201,{CELL.replace('avg', 'max')},1.5")
    read = json.loads(invoke(table, "--json", "-", "--database-url", new_sqlite))
    assert read["rows"] == 1
    assert [(target["device"], target["space"]) for target in read["targets"]] == [("phone", "nasbench201")]
    assert [item["rows"] for item in read["skipped"]] == [1]
    assert read["stored"] == {"targets": 1, "added": 1, "changed": 0, "known": 0}
    assert read["database"] in new_sqlite


def test_the_running_services_database_is_meant_where_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(own_database, "echo", lambda text, **_: said.append(text))
    for name in ("LATCAST_DATABASE_URL", "LATCAST_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(running, "NOTES", tmp_path / "notes")
    monkeypatch.chdir(tmp_path)
    table = write(tmp_path, f"phone,nasbench201,{CELL},2")
    there = tmp_path / "there"
    with leave_note(RunningService(address="http://here", data_dir=str(there), own_url=False)):
        invoke(table)
        assert (there / "latcast.db").exists()
        assert said == [f"Works on {there}, the database of the service at http://here."]
        invoke(table, "--data-dir", tmp_path / "mine")
    assert (tmp_path / "mine" / "latcast.db").exists()
    assert not (tmp_path / "latcast-data").exists()
