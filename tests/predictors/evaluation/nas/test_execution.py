"""Running tasks: the document, interrupted runs, processes and shared trainings."""

import json
from pathlib import Path
from typing import Any

import pytest

from predictors.evaluation.journal import Journal
from predictors.evaluation.nas import METRICS, Contender, Task, assemble, plan, run
from predictors.evaluation.nas.execution import run_unit
from tests.predictors.tables import write_cells

TASK = Task(name="T", space="nasbench201", sources=("1080ti_1", "samsung_s7"), targets=("raspi4", "fpga"))
TREES = Contender(kind="boosted_trees", hyperparameters={"trees": 5, "folds": 2, "boosters": 1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_cells(folder, count=150)
    return folder


def units(**changes: Any) -> list[Any]:
    settings: dict[str, Any] = {"samplers": ["random"], "shots": [20], "seeds": 2, "protocol": "full"}
    return plan([TASK], [TREES], source_samples=60, **{**settings, **changes})


def test_the_document_has_every_metric_of_every_target(folder: Path) -> None:
    todo, journal = units(), Journal(None)
    run(todo, folder, journal, workers=1)
    document = json.loads(json.dumps(assemble(todo, journal, suite=False)))
    assert set(document) == {"predictor", "sampler", "shots", "targets", "mean"}
    assert document["predictor"] == "boosted_trees:trees=5,folds=2,boosters=1"
    assert set(document["targets"]) == {"raspi4", "fpga"}
    for figures in (*document["targets"].values(), document["mean"]):
        assert set(figures) == set(METRICS)
        assert all(set(metric) == {"mean", "std"} for metric in figures.values() if metric)
    mean = sum(document["targets"][device]["spearman"]["mean"] for device in ("raspi4", "fpga")) / 2
    assert document["mean"]["spearman"]["mean"] == pytest.approx(mean, rel=1e-5)
    assert document["mean"]["spearman"]["mean"] > 0.5
    assert 0 <= document["mean"]["coverage_90"]["mean"] <= 1


def test_several_combinations_are_a_list_and_a_suite_has_tasks(folder: Path) -> None:
    todo, journal = units(samplers=["random", "kmeans"], shots=[5, 20], seeds=1), Journal(None)
    run(todo, folder, journal, workers=1)
    documents = assemble(todo, journal, suite=True)
    assert [(item["sampler"], item["shots"]) for item in documents] == [
        ("random", 5), ("random", 20), ("kmeans", 5), ("kmeans", 20)
    ]  # fmt: skip
    assert all(set(item["tasks"]) == {"T"} for item in documents)


def test_an_interrupted_run_goes_on_where_it_was(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "partial.jsonl"
    todo, calls = units(), list[int]()

    def interrupted(unit: Any, data: Path) -> Any:
        calls.append(unit.training)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run_unit(unit, data)

    monkeypatch.setattr("predictors.evaluation.nas.execution.run_unit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(todo, folder, Journal(path), workers=1)
    with path.open("a") as file:
        file.write('{"unit": "cut sho')
    journal = Journal(path)
    assert len(journal) == 1
    run(todo, folder, journal, workers=1)
    assert calls == [0, 1, 1]
    assert len(Journal(path)) == 2
    journal.clear()
    assert not path.exists()


@pytest.mark.slow
def test_processes_give_the_same_figures(folder: Path) -> None:
    todo, one, two = units(), Journal(None), Journal(None)
    run(todo, folder, one, workers=1)
    reports: list[float] = []
    run(todo, folder, two, workers=2, progress=lambda share, _: reports.append(share))
    timed = {"adapt_ms", "predict_per_s"}
    for unit in todo:
        for alone, beside in zip(one.get(unit.key), two.get(unit.key), strict=True):
            assert {**alone, **dict.fromkeys(timed)} == pytest.approx({**beside, **dict.fromkeys(timed)})
    assert reports == [0.5, 1.0]
