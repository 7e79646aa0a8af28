"""Options and arguments that several commands take: each is written once, with one help text."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.results import writable

__all__ = [
    "DEFAULT_SERVER",
    "MAX_SECONDS",
    "BackendOption",
    "BackendOptionsOption",
    "DataDirOption",
    "DatabaseUrlOption",
    "DatasetOption",
    "DimOption",
    "FileOption",
    "GraphOption",
    "InputOption",
    "JsonOption",
    "KeyOption",
    "LevelOption",
    "NetworksArgument",
    "PrecisionOption",
    "PredictorOption",
    "RayOption",
    "ResultOption",
    "ServerOption",
    "ShapeOption",
    "SpaceOption",
    "TargetOption",
    "ThreadsOption",
    "TimeoutOption",
    "WorkersOption",
]

DEFAULT_SERVER = "http://127.0.0.1:8321"

# The service, and what is asked of it.
ServerOption = Annotated[
    str, typer.Option("--server", envvar="LATCAST_SERVER", help="Address of the service.", metavar="URL")
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="LATCAST_KEY", help="API key, where the service asks for one.", show_envvar=True),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="T",
        help="Id of the target or its beginning, the device's name, or words of both and of the label "
        "('pi openvino bf16'); may be left out while one target alone is offered.",
    ),
]
PredictorOption = Annotated[
    str | None,
    typer.Option(
        "--predictor",
        metavar="P",
        help="Predictor that answers or is adapted: an id of `latcast predictors list`, a kind, or pretrained:NAME. "
        "The service chooses where left out.",
    ),
]
LevelOption = Annotated[float, typer.Option(min=0.01, max=0.999, help="Probability that the interval holds.")]

# Networks, and the sizes of their dynamic dimensions.
NetworksArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NETWORK",
        help="ONNX files, or torch modules (net.py:Net); with --space, architecture texts; with --graph, hashes.",
    ),
]
FileOption = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        metavar="LIST",
        help="List of networks: a line each, a .csv with the column text, or a .jsonl manifest; - is standard input.",
    ),
]
SpaceOption = Annotated[
    str | None, typer.Option("--space", metavar="NAME", help="Search space of the texts, for example nasbench201.")
]
GraphOption = Annotated[
    bool, typer.Option("--graph", help="The networks are hashes of uploaded graphs, or their beginnings.")
]
ShapeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="NAME=SIZES",
        help="Shape of an input with dynamic dimensions: x=1,3,224,224 or x=1x3x224x224; repeatable.",
    ),
]
DimOption = Annotated[
    list[str] | None,
    typer.Option(
        "--dim",
        metavar="SYMBOL=SIZE",
        help="Size of a symbol of the inputs' shapes: batch=1; repeatable. Whole shapes count before it.",
    ),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="SIZES",
        help="Shape of an input of a torch module (net.py:Net), as in 1,3,224,224; once for each input, in order.",
    ),
]

# What is measured on this machine, and how.
BackendOption = Annotated[str, typer.Option("--backend", help="Runtime to measure.")]
PrecisionOption = Annotated[str, typer.Option("--precision", help="What the backend does to the model.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="Threads within an operator.")]
BackendOptionsOption = Annotated[
    list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="Option of the backend; repeatable.")
]
MAX_SECONDS = typer.Option("--max-seconds", min=0.01, help="Cap on the timed part of each process.")
TimeoutOption = Annotated[float, typer.Option("--timeout", min=1, help="Seconds that one process may take.")]
DatasetOption = Annotated[
    Path, typer.Option("--data", envvar="LATCAST_DATASET", metavar="DIR", help="The measured data set.")
]

# Where work of many parts is done.
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes of one thread each.", show_default="one for each core"),
]
RayOption = Annotated[
    str,
    typer.Option(
        "--ray",
        envvar="LATCAST_RAY_ADDRESS",
        metavar="ADDRESS",
        help="Ray cluster that does the work in place of processes: host:6379, ray://host:10001, or local.",
        show_default=False,
    ),
]

# The service's database, for commands that work on it directly.
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the database and the artifacts; made when missing.")
]
DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url", help="For example postgresql://user:password@host/latcast; SQLite in the folder by default."
    ),
]

# Where results go.
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="OUT", help="Write everything as JSON; - prints only that.", callback=writable),
]
ResultOption = Annotated[
    str, typer.Option("--json", metavar="OUT", help="Where to write; - is standard output.", callback=writable)
]
