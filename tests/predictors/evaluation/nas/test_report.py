"""The page that is drawn out of results."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from latcast.schema import InputError
from predictors.evaluation.nas import METRICS
from predictors.evaluation.nas.report import read_results, write_report


def document(predictor: str, shots: int, *, claims: bool = True) -> dict[str, Any]:
    figures = {name: {"mean": 0.9, "std": 0.01} for name in METRICS}
    if not claims:
        figures |= {"coverage_90": None, "interval_width_90": None}
    head = {"predictor": predictor, "sampler": "random", "shots": shots}
    return {**head, "targets": {"pixel2": figures, "<raspi4>": figures}, "mean": figures}


def suite(predictor: str, shots: int) -> dict[str, Any]:
    head = {"predictor": predictor, "sampler": "random", "shots": shots}
    return {**head, "tasks": {"ND": document(predictor, shots), "FD": document(predictor, shots)}}


def test_the_page_has_tables_and_figures(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([suite("universal", 10), suite("universal", 20)]))
    (tmp_path / "b.json").write_text(json.dumps(suite("help", 20)))
    results = read_results([tmp_path / "a.json", tmp_path / "b.json"])
    figures = write_report(results, tmp_path / "benchmarks.md")
    page = (tmp_path / "benchmarks.md").read_text()
    assert "published: NASFLAT, 20 samples | 0.959 | 0.961 |" in page
    assert "| universal, random, 10 samples | 0.900 ± 0.010 |" in page
    assert "| help, random | 20 |" in page
    assert {path.name for path in figures} == {
        f"{task}_{kind}.svg" for task in ("ND", "FD") for kind in ("error", "calibration", "shots")
    }
    for path in figures:
        ET.fromstring(path.read_text())  # noqa: S314 - just written here
        assert f"benchmarks/{path.name}" in page


def test_figures_show_one_line_for_each_kind_and_tables_show_all(tmp_path: Path) -> None:
    changed = suite("universal:transfer=false", 20)
    elsewhere = suite("universal", 20)
    for part in (elsewhere, *elsewhere["tasks"].values()):
        part["sampler"] = "variance"
    (tmp_path / "a.json").write_text(
        json.dumps([changed, suite("universal", 20), elsewhere, suite("help:samples=1", 20)])
    )
    write_report(read_results([tmp_path / "a.json"]), tmp_path / "out.md", notes="## Read this first\n")
    page = (tmp_path / "out.md").read_text()
    assert page.index("Read this first") < page.index("## Spearman")
    assert "universal:transfer=false, random, 20 samples" in page
    drawing = (tmp_path / "out" / "ND_error.svg").read_text()
    assert "universal, variance" in drawing
    assert "help:samples=1, random" in drawing
    assert "universal, random" not in drawing
    assert "transfer" not in drawing


def test_the_tables_of_help_stand_beside_its_figures(tmp_path: Path) -> None:
    document_ = {**suite("help", 20), "tasks": {"nasbench201": document("help", 20), "fbnet": document("help", 20)}}
    (tmp_path / "a.json").write_text(json.dumps(document_))
    write_report(read_results([tmp_path / "a.json"]), tmp_path / "out.md")
    page = (tmp_path / "out.md").read_text()
    assert "published: HELP, 20 samples | 0.932 | 0.907 |" in page
    assert "published: FLOPs | 0.787 | – |" in page
    assert "NASFLAT, 20" not in page


def test_a_task_of_ones_own_without_intervals(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document("flops", 20, claims=False)))
    figures = write_report(read_results([tmp_path / "a.json"]), tmp_path / "out.md")
    assert [path.name for path in figures] == ["task_error.svg"]
    assert "NASFLAT" not in (tmp_path / "out.md").read_text()


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"tasks": {"ND": {"predictor": "x"}}}', '{"tasks": 3}'])
def test_foreign_files_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=r"x\.json"):
        read_results([tmp_path / "x.json"])
    with pytest.raises(InputError, match="Cannot read"):
        read_results([tmp_path / "absent.json"])
    with pytest.raises(InputError, match="no results"):
        write_report([], tmp_path / "out.md")
