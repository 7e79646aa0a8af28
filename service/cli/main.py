"""The `latcast` command: puts the subcommands together and turns errors into sentences."""

import os
import sys

import typer

from service.cli.bench.group import bench
from service.cli.data.dataset import dataset
from service.cli.data.db import db
from service.cli.data.export import export
from service.cli.data.importing import import_table
from service.cli.demo.demo import demo
from service.cli.fleet.agent import agent
from service.cli.fleet.audit import audit
from service.cli.fleet.curation import fleet
from service.cli.fleet.devices import devices
from service.cli.fleet.jobs import cancel, jobs
from service.cli.fleet.keys import keys
from service.cli.fleet.measurements import measurements
from service.cli.fleet.targets import targets
from service.cli.fleet.upload import upload
from service.cli.forecast.adapt import adapt
from service.cli.forecast.check import check
from service.cli.forecast.explain import explain
from service.cli.forecast.friendliness import friendliness
from service.cli.forecast.frontier import frontier
from service.cli.forecast.predict import predict
from service.cli.forecast.quality import quality
from service.cli.groups import Group
from service.cli.guard import DEBUG, guarded, hoisted, with_homes
from service.cli.measure.campaign import campaign
from service.cli.measure.microbench import microbench
from service.cli.measure.profile import profile
from service.cli.measure.remote import measure
from service.cli.score.score import score
from service.cli.serve import serve
from service.cli.tables import echo
from service.cli.train.exporting import export_predictor
from service.cli.train.predictors import predictors
from service.cli.train.train import train
from service.cli.train.worker import worker

__all__ = ["app", "main"]

app = typer.Typer(
    name="latcast",
    cls=Group,
    help="Forecast how long a neural network takes on a device before running it there.",
    epilog="Start with `latcast profile MODEL.onnx`, or with `latcast demo` for the whole tour.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # square brackets in help are text, and nothing is boxed in a pipe
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    profile, microbench, serve, agent, devices, adapt, predict, explain, check, measure, upload, jobs, cancel,
    audit, quality, frontier, friendliness, score, export, campaign, train, worker, demo,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.command("import")(import_table)
app.add_typer(targets, name="targets")
app.add_typer(keys, name="keys")
app.add_typer(fleet, name="fleet")
app.add_typer(measurements, name="measurements")
app.add_typer(db, name="db")
predictors.command("export")(export_predictor)
app.add_typer(predictors, name="predictors")
app.add_typer(bench, name="bench")
app.add_typer(dataset, name="dataset")


@app.callback(invoke_without_command=True)
def latcast(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, DEBUG, help="Show the trace of a failure, too; may stand anywhere."),
) -> None:
    """Forecast how long a neural network takes on a device before running it there."""
    if version:
        from importlib.metadata import version as installed

        echo(f"latcast {installed('latcast')}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        raise typer.Exit(code=2)


def main() -> None:
    """Run the command line; `service.cli.guard` says with which exit codes it ends."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    arguments = hoisted(with_homes(sys.argv[1:]))
    sys.exit(guarded(lambda: app(arguments), debug=arguments[:1] == [DEBUG], arguments=arguments))


if __name__ == "__main__":
    main()
