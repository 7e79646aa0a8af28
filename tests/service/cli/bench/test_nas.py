"""`latcast bench nas`: where results go, and wrong names."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from latcast.schema import LatcastError
from predictors import registry
from predictors.evaluation.nas import METRICS, SUITES
from service.cli.bench.group import bench
from tests.predictors.tables import write_cells, write_chains

FAST = ["--predictor", "boosted_trees:trees=3,folds=2,boosters=1", "--source-samples", "40", "--seeds", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_cells(folder, count=120)
    return folder


def invoke(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.add_typer(bench, name="bench")
    result = CliRunner().invoke(app, ["bench", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_json_goes_to_standard_output_alone(folder: Path) -> None:
    code, text = invoke("nas", "--data", str(folder), "--targets", "raspi4", *FAST, "--workers", "1", "--json", "-")
    document = json.loads(text)
    assert code == 0
    assert document["shots"] == 20
    assert set(document["targets"]) == {"raspi4"}


def test_a_suite_has_tasks_and_every_metric_a_mean_and_a_spread_or_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(name: str) -> None:
        raise AssertionError(f"a benchmark trains what it judges, and {name} is trained already")

    monkeypatch.setattr(registry, "pretrained", refused)
    monkeypatch.setattr(registry, "load_predictor", refused)
    chains = next(task for task in SUITES["help"] if task.name == "fbnet")
    write_cells(tmp_path, count=60)
    write_chains(tmp_path, count=60, devices=(*chains.sources, *chains.targets, *chains.validation))
    arguments = ["--protocol", "full", "--source-samples", "20", "--seeds", "1", "--shots", "5", "--workers", "1"]
    predictors = ["--predictor", "universal", "--predictor", "lookup_table"]
    code, text = invoke("nas", "--data", str(tmp_path), "--suite", "help", *arguments, *predictors, "--json", "-")
    assert code == 0
    found = json.loads(text)
    assert [item["predictor"] for item in found] == ["universal", "lookup_table"]
    for item in found:
        assert set(item) == {"predictor", "sampler", "shots", "tasks"}
        assert set(item["tasks"]) == {"nasbench201", "fbnet"}
        for task in item["tasks"].values():
            assert set(task) == {"predictor", "sampler", "shots", "targets", "mean"}
            for figures in (task["mean"], *task["targets"].values()):
                assert list(figures) == list(METRICS)
                claimed = {name for name, metric in figures.items() if metric is not None}
                intervals = {"coverage_90", "interval_width_90"} if item["predictor"] == "universal" else set()
                assert claimed == set(METRICS) - {"coverage_90", "interval_width_90"} | intervals
                assert all(set(metric) == {"mean", "std"} for metric in figures.values() if metric)
                for share in {"within_5", "within_10", "coverage_90"} & claimed:
                    assert 0 <= figures[share]["mean"] <= 1


def test_a_file_is_written_and_nothing_left_beside_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    arguments = ["--sources", "1080ti_1,pixel3", "--targets", "fpga", "--shots", "5", "--shots", "10", *FAST]
    code, text = invoke("nas", "--data", str(folder), *arguments, "--workers", "1", "--json", str(out))
    assert (code, text) == (0, "")
    assert [item["shots"] for item in json.loads(out.read_text())] == [5, 10]
    assert list(tmp_path.iterdir()) == [out]
    code, _ = invoke("report", str(out), "--out", str(tmp_path / "page.md"))
    assert code == 0
    assert "boosted_trees" in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--predictor", "nobody"], "nobody"),
        (["--sampler", "nobody"], "nobody"),
        (["--targets", "nokia"], "nokia"),
        (["--targets", "pixel3", "--sources", "pixel3"], "pixel3"),
        (["--suite", "nasflat", "--targets", "pixel3"], "--targets"),
        (["--space", "zoo"], "zoo"),
        (["--suite", "nasflat", "--task", "N2"], "ND"),
        (["--task", "ND"], "--suite"),
    ],
)
def test_wrong_names_are_sentences(folder: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(LatcastError, match=said):
        invoke("nas", "--data", str(folder), "--workers", "1", *arguments)


def test_a_result_without_a_place_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(LatcastError, match="no folder"):
        invoke("nas", "--data", str(tmp_path), "--json", str(tmp_path / "absent" / "r.json"))


def test_a_folder_without_tables_says_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(LatcastError, match="HELP"):
        invoke("nas", "--data", str(tmp_path))
