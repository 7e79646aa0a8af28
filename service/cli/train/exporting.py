"""`latcast predictors export`: the predictor of a target as a file, for loops that forecast in their own process."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from latcast.loops.target_names import find_target
from latcast.schema import InputError
from latcast.schema.articles import with_article
from service.cli.common import open_client
from service.cli.options import DEFAULT_SERVER, JsonOption, KeyOption, LevelOption, ServerOption, TargetOption
from service.cli.results import deliver, writable
from service.cli.tables import echo

__all__ = ["export_predictor"]

SUFFIXES = (".onnx", ".safetensors")


def export_predictor(
    out: Annotated[Path, typer.Argument(help="File to write: .onnx or .safetensors.", callback=writable)],
    space: Annotated[str, typer.Option("--space", metavar="NAME", help="Search space, for example nasbench201.")],
    target: TargetOption = None,
    level: LevelOption = 0.9,
    server: ServerOption = DEFAULT_SERVER,
    key: KeyOption = None,
    json_out: JsonOption = None,
) -> None:
    """Write the predictor that answers for a search space on a target, adapted to it.

    An ONNX file takes choices, int64 (n, places), and gives latency_ms, low_ms, high_ms and log_std. A .safetensors
    file is the artifact, for `predictors.registry.load_predictor` and `to_torch`.

    \b
    Examples:
      latcast predictors export pixel3.onnx --space nasbench201 --target pixel3
      latcast predictors export pixel3.safetensors --space fbnet --target pixel3
    """
    if out.suffix not in SUFFIXES:
        raise typer.BadParameter(f"{out.name} has to end in {' or '.join(SUFFIXES)}.")
    with open_client(server, key) as client, TemporaryDirectory() as folder:
        artifact = out if out.suffix == ".safetensors" else Path(folder) / "predictor.safetensors"
        found = find_target(client.targets(), target, spaces=[space])
        client.download_predictor(found["id"], space, artifact)
        if artifact != out:
            _write_onnx(artifact, out, level)
    document = {"target": found["id"], "space": space, "path": str(out), "bytes": out.stat().st_size}
    deliver(document, json_out, lambda: echo(f"Wrote {out}."))


def _write_onnx(artifact: Path, out: Path, level: float) -> None:
    from predictors.kinds.universal import UniversalPredictor
    from predictors.kinds.universal.cells.export import to_onnx
    from predictors.registry import load_predictor

    predictor = load_predictor(artifact)
    if not isinstance(predictor, UniversalPredictor):
        raise InputError(
            f"The predictor is {with_article(predictor.kind)}, of which there is no ONNX file: write .safetensors."
        )
    out.write_bytes(to_onnx(predictor, level=level))
