"""A small synthetic table in the layout of HELP's repository: importers and benchmarks are tested everywhere."""

import os
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latcast.schema import Architecture
from predictors.features.cells import layer_one_hot
from profilers.search_spaces import get_space, space_names
from profilers.search_spaces.fbnet import OPERATORS
from profilers.search_spaces.ofa_mbv3 import OFAMobileNetV3

CELL_DEVICES = (
    "1080ti_1", "1080ti_32", "1080ti_256", "silver_4114", "silver_4210r", "samsung_a50", "pixel3", "essential_ph_1",
    "samsung_s7", "titanx_1", "titanx_32", "titanx_256", "gold_6240", "titan_rtx_256", "gold_6226", "fpga", "pixel2",
    "raspi4", "eyeriss",
)  # fmt: skip

needs_spaces = pytest.mark.skipif(
    not {"fbnet", "ofa_mbv3"} <= set(space_names()), reason="the search spaces fbnet and ofa_mbv3 are not registered"
)


def save_torch(path: Path, value: Any, *, root: str = "archive") -> None:
    """As torch.save writes plain values."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/data.pkl", pickle.dumps(value, protocol=2))
        archive.writestr(f"{root}/version", "3\n")


def latencies(architectures: Sequence[Architecture], device: int) -> list[float]:
    """A layer-wise sum with an overhead; devices share most of it, the first few odd ones differ."""
    hot = layer_one_hot(architectures)
    shared = np.random.default_rng(0).lognormal(0, 1, hot.shape[1])
    rng = np.random.default_rng(device + 1)
    own = shared * rng.lognormal(0, 0.5, hot.shape[1]) * rng.lognormal(0, 1)
    noise = rng.lognormal(0, 0.01, len(hot))
    return [float(value) for value in (own.sum() * 0.2 + hot @ own) * noise]


def write_cells(folder: Path, *, count: int = 400, devices: Sequence[str] = CELL_DEVICES) -> None:
    """The table of NAS-Bench-201."""
    place = folder / "nasbench201"
    (place / "latency").mkdir(parents=True)
    space, rng = get_space("nasbench201"), np.random.default_rng(3)
    architectures = list(dict.fromkeys(space.sample(rng) for _ in range(2 * count)))[:count]
    save_torch(place / "str_arch2idx.pt", {item.text: index for index, item in enumerate(architectures)})
    save_torch(place / "hardware_embedding_index.pt", [i * count // 10 for i in range(10)])
    for index, device in enumerate(devices):
        save_torch(place / "latency" / f"{device}.pt", latencies(architectures, index))


def write_chains(folder: Path, *, count: int = 30, devices: Sequence[str] = ("1080ti_1", "fpga")) -> None:
    """The tables of FBNet and of Once-for-All."""
    rng = np.random.default_rng(4)
    for name, entries in (("fbnet", _fbnet(rng, count)), ("ofa", _ofa(rng, count))):
        place = folder / name
        (place / "latency").mkdir(parents=True)
        file = "metainfo.pt" if name == "fbnet" else "ofa_archs.pt"
        save_torch(place / file, {"dataset": "x", "num_classes": 10, "arch": entries})
        for index, device in enumerate(devices):
            save_torch(place / "latency" / f"{device}.pt", [1.0 + index + 0.1 * i for i in range(count)])


def _fbnet(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    operators = rng.integers(len(OPERATORS), size=(count, 22)).tolist()
    return [{"op_idx_list": row, "arch_str": [OPERATORS[i] for i in row]} for row in operators]


def _ofa(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    assert OFAMobileNetV3.name == "ofa_mbv3"
    return [
        {
            "ks": rng.choice([3, 5, 7], 20).tolist(),
            "e": rng.choice([3, 4, 6], 20).tolist(),
            "d": rng.choice([2, 3, 4], 5).tolist(),
            "r": np.int64(rng.choice(np.arange(128, 225, 4))),
        }
        for _ in range(count)
    ]


def published_data() -> Path:
    """The real tables, or skip."""
    folder = os.environ.get("LATCAST_DATA")
    if not folder:
        pytest.skip("LATCAST_DATA does not name a folder with HELP's tables")
    return Path(folder)
