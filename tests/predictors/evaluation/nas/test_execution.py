"""Running tasks: the document, interrupted runs, processes and shared trainings."""

import json
from pathlib import Path
from typing import Any

import pytest

from latcast.schema import InputError, LatcastError, UnknownNameError
from predictors.data.importers.help import read_table
from predictors.evaluation.journal import Journal
from predictors.evaluation.nas import METRICS, SUITES, Contender, Task, assemble, plan, run
from predictors.evaluation.nas.execution import run_unit
from predictors.evaluation.nas.scoring import summarise
from predictors.evaluation.nas.tasks import check_task
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


def test_what_is_not_claimed_is_null() -> None:
    row = dict.fromkeys(METRICS, 0.5) | {"device": "a", "seed": 0, "coverage_90": None}
    summary = summarise([row, {**row, "seed": 1, "kendall": None}])
    assert summary["targets"]["a"]["coverage_90"] is None
    assert summary["mean"]["coverage_90"] is None
    assert summary["targets"]["a"]["kendall"] == {"mean": 0.5, "std": 0.0}


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


def test_other_settings_do_not_reuse_results() -> None:
    keys = {unit.key for todo in (units(), units(shots=[10]), units(protocol="help")) for unit in todo}
    assert len(keys) == 6


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


def test_slow_predictors_share_trainings_among_seeds() -> None:
    todo = plan([TASK], [Contender(kind="help")], samplers=["random"], shots=[20], seeds=5, protocol="full",
                source_samples=None)  # fmt: skip
    assert [unit.seeds for unit in todo] == [(0, 2, 4), (1, 3)]
    assert {unit.samples for unit in todo} == {900}
    once = plan([TASK], [TREES], samplers=["random"], shots=[20], seeds=3, protocol="full", source_samples=None,
                trainings=1)  # fmt: skip
    assert [unit.seeds for unit in once] == [(0, 1, 2)]


def test_contenders_are_parsed_and_checked() -> None:
    contender = Contender.parse("boosted_trees:trees=5,reads=architecture")
    assert contender.hyperparameters == {"trees": 5, "reads": "architecture"}
    assert Contender.parse(contender.label) == contender
    with pytest.raises(UnknownNameError, match="boosted_trees"):
        Contender.parse("boosted_tree")
    with pytest.raises(InputError, match="leafs"):
        Contender.parse("boosted_trees:leafs=3")


def test_targets_are_never_trained_on(folder: Path) -> None:
    table = read_table(folder, "nasbench201")
    for changes in ({"targets": ("samsung_s7",)}, {"validation": ("fpga",)}, {"targets": ()}, {"sources": ("nokia",)}):
        task = Task(
            **{"name": "T", "space": "nasbench201", "sources": TASK.sources, "targets": TASK.targets, **changes}
        )
        with pytest.raises(LatcastError):
            check_task(task, table)


def test_the_suites_are_the_published_partitions() -> None:
    sizes = {task.name: (len(task.sources), len(task.targets)) for task in SUITES["nasflat"]}
    assert sizes == {"ND": (9, 6), "FD": (9, 3), "F1": (5, 5), "F2": (5, 5), "F3": (5, 5), "F4": (10, 3), "FA": (15, 4)}
    assert [task.name for task in SUITES["help"]] == ["nasbench201", "fbnet"]
    for task in (*SUITES["nasflat"], *SUITES["help"]):
        assert not set(task.targets) & {*task.sources, *task.validation}
