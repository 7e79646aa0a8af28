"""Writes the built networks into a folder, and compares them with those that the set was frozen with."""

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.built_models.network import Builder
from latcast.schema import LatcastError
from profilers.onnx_graph import load_graph

__all__ = ["FROZEN", "builders", "write_networks"]

FROZEN = Path(__file__).with_name("frozen.json")
"""Hash of each network's graph, by name."""

_MODULES = ("loops", "odd_structures", "exported", "quantised", "converted")


def builders() -> dict[str, Builder]:
    """All builders by the names of their networks."""
    modules = [importlib.import_module(f"benchmarks.built_models.{name}") for name in _MODULES]
    return {name: builder for module in modules for name, builder in module.NETWORKS.items()}


def write_networks(out: Path, *, freeze: bool = False) -> Iterator[dict[str, Any]]:
    """Write each network into `out/built`, unless it is there, and give its line of the manifest.

    Says which networks cannot be built, for a library is missing, and which are others than those that were frozen.

    Args:
        out: folder of the manifest.
        freeze: store the hashes of the networks instead.
    """
    folder, hashes = out / "built", {}
    folder.mkdir(parents=True, exist_ok=True)
    frozen: Mapping[str, str] = json.loads(FROZEN.read_text()) if FROZEN.exists() else {}
    for name, build in builders().items():
        path = folder / f"{name}.onnx"
        try:
            if not path.exists():
                print(f"building {name}", flush=True)
                _write(build, path)
            hashes[name] = load_graph(path.read_bytes()).hash
        except (ImportError, LatcastError) as error:
            print(f"{name} is left out: {error}", flush=True)
            continue
        if hashes[name] != frozen.get(name) and not freeze:
            print(f"{name} is not the network that the set was frozen with: its libraries write another", flush=True)
        feeds = path.with_suffix(".npz")
        yield {
            "name": name,
            "onnx": f"built/{path.name}",
            "feeds": f"built/{feeds.name}" if feeds.exists() else None,
            "shapes": {},
        }
    if freeze:
        FROZEN.write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")


def _write(build: Builder, path: Path) -> None:
    built = build()
    if built.feeds:
        np.savez(path.with_suffix(".npz"), **built.feeds)  # type: ignore[arg-type]
    onnx.save_model(built.model, path)
