"""The corpus of files: each is entered with the sentence that refuses it, and sent by each route."""

import base64
import json
from collections.abc import Callable
from typing import Any

from onnx import ModelProto

from tests.hostile.entry import Entry
from tests.hostile.served import Answer, Served
from tests.service.helpers import TARGET

Made = bytes | ModelProto
ENTRIES: list[Entry] = []
"""Every file, sent by each route."""
FILES: dict[str, Callable[[], bytes]] = {}
"""The file of each name."""


def hostile(
    says: str = "", *, stored: bool | None = None, fault: str = "", grows_mib: float = 100.0, slow: bool = False
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Enter a file into the corpus: as a forecast, and as an upload.

    Args:
        says: a pattern of the sentence that refuses it; empty where it is forecast.
        stored: whether its upload is taken; where it is forecast, by default.
        fault: number of a fault that is not mended, which a forecast shows.
        grows_mib: see `Entry`.
        slow: see `Entry`.
    """

    def enter(make: Callable[[], Made]) -> Callable[[], Made]:
        def content() -> bytes:
            made = make()
            return made if isinstance(made, bytes) else bytes(made.SerializeToString())

        name = make.__name__
        FILES[name] = content
        bounds: dict[str, Any] = {"grows_mib": grows_mib, "slow": slow}
        ENTRIES.append(
            Entry(name=f"forecast-{name}", send=lambda it: forecast(it, content()), status=200, says=says, fault=fault,
                  **bounds)
        )  # fmt: skip
        taken = not says if stored is None else stored
        ENTRIES.append(
            Entry(name=f"upload-{name}", send=lambda it: upload(it, content()), status=201 if taken else 422,
                  says="" if taken else says, fault="" if taken else fault, **bounds)
        )  # fmt: skip
        return make

    return enter


def forecast(served: Served, content: bytes, shapes: dict[str, list[int]] | None = None) -> Answer:
    """Ask for a forecast of a file."""
    item = {"onnx": base64.b64encode(content).decode(), "shapes": shapes or {}}
    return served.call("POST", "/v1/predict", json.dumps({"target": TARGET.id, "items": [item]}).encode())


def upload(served: Served, content: bytes) -> Answer:
    """Store a file's graph."""
    return served.call("POST", "/v1/graphs", content, headers={"Content-Type": "application/octet-stream"})


def by_hash(served: Served, content: bytes) -> Answer:
    stored = upload(served, content).plain["hash"]
    body = {"target": TARGET.id, "items": [{"graph": stored}]}
    return served.call("POST", "/v1/predict", json.dumps(body).encode())
