"""Tasks keep sources, targets and validation devices apart; the suites are those of the literature."""

from pathlib import Path

import pytest

from latcast.schema import InputError, LatcastError, UnknownNameError
from predictors.data.importers.help import read_table
from predictors.evaluation.nas import DEFAULT_SOURCES, DEFAULT_TARGETS, SUITES, Task
from predictors.evaluation.nas.tasks import check_task
from tests.predictors.tables import write_cells

TASK = Task(name="T", space="nasbench201", sources=("1080ti_1", "samsung_s7"), targets=("raspi4", "fpga"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_cells(folder, count=20)
    return folder


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


def test_a_sound_task_passes_and_errors_name_the_device(folder: Path) -> None:
    table = read_table(folder, "nasbench201")
    check_task(TASK, table)
    with pytest.raises(UnknownNameError, match="nokia"):
        check_task(Task(name="T", space="nasbench201", sources=("nokia",), targets=("fpga",)), table)
    with pytest.raises(InputError, match="trains on its target fpga"):
        check_task(Task(name="T", space="nasbench201", sources=("fpga", "raspi4"), targets=("fpga",)), table)


def test_defaults_are_the_tasks_of_help() -> None:
    for task in SUITES["help"]:
        assert DEFAULT_SOURCES[task.space] == task.sources
        assert DEFAULT_TARGETS[task.space] == task.targets
