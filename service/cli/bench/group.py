"""`latcast bench`: the commands that judge predictors."""

import typer

from service.cli.bench.nas import bench_nas, bench_report
from service.cli.bench.onnx import bench_onnx

__all__ = ["bench"]

bench = typer.Typer(
    help="Benchmark predictors on published latency tables, or on your own models.", no_args_is_help=True
)
bench.command("nas")(bench_nas)
bench.command("report")(bench_report)
bench.command("onnx")(bench_onnx)
