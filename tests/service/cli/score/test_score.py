"""`latcast score`: what the service would answer, for every row of a list, once, however often it is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet as pq
from typer.testing import CliRunner, Result

from latcast.client import Client
from latcast.schema import LatcastError
from service.cli.main import app
from service.cli.score import score as command
from service.cli.score.forecasts import Part, Scored, Sources, score_part
from tests.predictors.execution.test_ray_cluster import with_ray
from tests.service.cli.score.conftest import SPACE, cells

LONGEST_S = 120.0


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


def scored(path: Path, out: Path, *arguments: object) -> dict[str, list[Any]]:
    done = run("--in", path, "--out", out, "--space", "nasbench201", "--workers", 1, "--targets", "phone,other",
               *arguments)  # fmt: skip
    columns: dict[str, list[Any]] = pq.read_table(out).to_pydict()
    assert done.exit_code == any(columns["error"]), done.output + str(done.exception)
    return columns


def test_rows_have_what_the_service_answers(connected: Client, listed: Path, tmp_path: Path) -> None:
    found = scored(listed, tmp_path / "out.parquet", "--level", 0.8)
    assert found["number"] == [str(place) for place in range(230)]
    assert not (tmp_path / "out.parquet.parts").exists()
    for label in ("phone", "other"):
        target = next(one["id"] for one in connected.targets() if one["device_name"] == label)
        asked = connected.target(target).predict(found["arch"][:228], space="nasbench201", level=0.8)
        assert found[f"{label}_ms"][:228] == pytest.approx(asked.latency_ms, rel=1e-9)
        sources = ["measured" if one else "predicted" for one in asked.measured]
        assert found[f"{label}_source"][:228] == sources
        assert {*sources} == {"measured", "predicted"}
        low = [np.nan if one is None else one for one in found[f"{label}_low_ms"][:228]]
        assert low == pytest.approx(asked.low_ms, rel=1e-9, nan_ok=True)
        assert found[f"{label}_ms"][228:] == [None, None]
    assert found["error"][:228] == [None] * 228
    assert "nonsense" in found["error"][228]


def test_intervals_that_were_too_narrow_are_wider_in_the_artifact(
    connected: Client, listed: Path, tmp_path: Path
) -> None:
    found = scored(listed, tmp_path / "out.parquet")
    widths = {
        label: np.median([
            np.log(high / low)
            for high, low in zip(found[f"{label}_high_ms"], found[f"{label}_low_ms"], strict=True)
            if low is not None
        ])
        for label in ("phone", "other")
    }  # fmt: skip
    assert widths["phone"] > 1.5 * widths["other"]


@pytest.mark.parametrize("suffix", [".parquet", ".txt"])
def test_lists_of_other_formats(suffix: str, connected: Client, tmp_path: Path) -> None:
    import pyarrow as pa

    texts, path = cells(40, seed=3), tmp_path / f"archs{suffix}"
    if suffix == ".txt":
        path.write_text("# cells\n\n" + "\n".join(texts) + "\n")
    else:
        pq.write_table(pa.table({"Text": texts, "space": ["NASBench-201"] * 40, "accuracy": range(40)}), path)
    space = ["--space", "nasbench201"] if suffix == ".txt" else []
    done = run(
        "--in", path, "--out", tmp_path / "out.parquet", "--targets", "phone", "--workers", 1, *space, "--json", "-"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "path": str(tmp_path / "out.parquet"),
        "rows": 40,
        "targets": ["phone"],
        "failed": 0,
    }
    found = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert (found.get("Text") or found.get("text")) == texts
    assert all(ms > 0 for ms in found["phone_ms"])
    if suffix == ".parquet":
        assert found["accuracy"] == list(range(40))


def test_rows_that_cannot_be_forecast_fail_the_command_and_no_other_row(connected: Client, tmp_path: Path) -> None:
    path, out = tmp_path / "archs.txt", tmp_path / "out.parquet"
    path.write_text("\n".join([*cells(3, seed=5), "no cell"]))
    done = run("--in", path, "--out", out, "--targets", "phone", "--space", "nasbench201", "--workers", 1)
    assert done.exit_code == 1
    assert f"latcast: {out}: 1 row could not be forecast: the column error says why." in done.stderr
    found = pq.read_table(out).to_pydict()
    assert [error is None for error in found["error"]] == [True, True, True, False]
    assert [ms is None for ms in found["phone_ms"]] == [False, False, False, True]


def test_what_cannot_be_scored_is_a_sentence(connected: Client, listed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"

    def said(*arguments: object) -> str:
        done = run("--out", out, *arguments)
        assert done.exit_code != 0
        return done.output + str(done.exception)

    assert "give --space" in said("--in", listed, "--targets", "phone")
    assert "one target" in said("--in", listed, "--targets", ",", "--space", "nasbench201")
    assert "Unknown target" in said("--in", listed, "--targets", "tablet", "--space", "nasbench201")
    assert "no latencies of architectures of fbnet" in said("--in", listed, "--targets", "phone", "--space", "fbnet")
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    assert "lacks the column 'text'; its columns are: a, b" in said(
        "--in", tmp_path / "wrong.csv", "--targets", "phone", "--space", "nasbench201"
    )
    (tmp_path / "taken.csv").write_text("text,phone_ms\n1,2\n")
    assert "columns that the result is to have: phone_ms" in said(
        "--in", tmp_path / "taken.csv", "--targets", "phone", "--space", "nasbench201"
    )
    assert "cannot be read" in said("--in", tmp_path / "absent.csv", "--targets", "phone", "--space", "nasbench201")


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_has_each_row_once(
    connected: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PART_ROWS", 20)
    texts, path, out = cells(6000, seed=4), tmp_path / "archs.txt", tmp_path / "out.parquet"
    path.write_text("\n".join(texts))
    arguments = ["--in", path, "--out", out, "--targets", "phone,other", "--space", "nasbench201", "--workers"]

    # What it asks the service for is kept with the first part: the killed process is begun here, and needs none.
    with monkeypatch.context() as patched:
        patched.setattr(command, "_score", interrupted)
        assert "interrupted" in str(run(*arguments, "1").exception)
    code = "from service.cli.score import score; score.PART_ROWS = 20; from service.cli.main import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, "score", *map(str, arguments), "2"], start_new_session=True)
    parts = tmp_path / "out.parquet.parts"
    wait_for(lambda: process.poll() is not None or len(list(parts.glob("part-*"))) >= 5)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {int(one.stem[5:]) for one in parts.glob("part-*")}
    assert 5 <= len(kept) < 300
    assert not out.exists()

    done_now: list[int] = []

    def counted(sources: Sources, part: Part) -> Scored:
        done_now.append(part.number)
        return score_part(sources, part)

    monkeypatch.setattr("service.cli.score.forecasts.score_part", counted)
    monkeypatch.setattr(command, "open_client", refused)
    done = run(*arguments, "1")
    assert done.exit_code == 0, done.output + str(done.exception)
    assert sorted([*kept, *done_now]) == list(range(300))
    found = pq.read_table(out).to_pydict()
    assert found["text"] == texts
    whole = score_part(
        sources_of(connected, tmp_path), Part(number=0, texts=texts, spaces=["nasbench201"] * len(texts))
    )
    for label in ("phone", "other"):
        assert found[f"{label}_ms"] == pytest.approx(whole.columns[label].times_ms[:, 0], rel=1e-9)


def interrupted(*_: object) -> int:
    raise LatcastError("interrupted")


@contextmanager
def refused(*_: object) -> Any:
    raise AssertionError("the service was asked again")
    yield


def sources_of(client: Client, folder: Path) -> Sources:
    from service.cli.score.parts import open_parts
    from service.cli.score.sources import begin, kept_sources

    asked = {"targets": ["phone", "other"], "level": 0.9}
    with open_parts(folder / "again") as parts:
        begin(parts, client, asked, rows=1, spaces=["nasbench201"])
        return kept_sources(parts, parts.plan(asked) or {})


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_other_options_do_not_go_on_with_the_same_parts(
    connected: Client, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--in", listed, "--out", tmp_path / "out.parquet", "--space", "nasbench201", "--workers", 1]
    with monkeypatch.context() as patched:
        patched.setattr(command, "_score", interrupted)
        run(*arguments, "--targets", "phone")
    done = run(*arguments, "--targets", "phone,other")
    assert "begun with other options (targets)" in str(done.exception)
    assert "230 rows, phone." in run(*arguments, "--targets", "phone").stdout


@with_ray
def test_a_ray_cluster_gives_the_same(
    connected: Client, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PART_ROWS", 50)
    here = scored(listed, tmp_path / "here.parquet")
    there = scored(listed, tmp_path / "there.parquet", "--ray", "local")
    assert there == here
    assert SPACE.name == "nasbench201"
