"""`latcast bench`: which benchmarks there are, and help instead of an error where none is named."""

from typer.testing import CliRunner

from service.cli.bench.group import bench


def test_the_benchmarks_are_listed_where_none_is_named() -> None:
    shown = CliRunner().invoke(bench, [], env={"COLUMNS": "80"}).output
    for command in ("nas", "report", "onnx"):
        assert command in shown
    assert "Benchmark predictors" in shown


def test_a_benchmark_that_is_not_there_is_wrong_usage() -> None:
    done = CliRunner().invoke(bench, ["nobody"])
    assert done.exit_code == 2
    assert "nobody" in done.output
