"""`latcast bench`: the commands that judge predictors."""

import typer

from service.cli.bench.nas import bench_nas, bench_report
from service.cli.bench.onnx import bench_onnx
from service.cli.bench.serve import bench_serve
from service.cli.groups import Group

__all__ = ["bench"]

bench = typer.Typer(
    cls=Group,
    help="Benchmark predictors on published latency tables or your own models, and the service.",
    no_args_is_help=True,
)
bench.command("nas")(bench_nas)
bench.command("report")(bench_report)
bench.command("onnx")(bench_onnx)
bench.command("serve")(bench_serve)
