"""What answers for each target: fetched from the service once, so that all parts of a result are by the same."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from latcast.loops.target_names import find_target
from latcast.schema import UnknownNameError
from profilers.search_spaces import get_space
from service.cli.score.forecasts import Sources
from service.cli.score.parts import Parts

if TYPE_CHECKING:
    from latcast.client import Client

__all__ = ["begin", "kept_sources", "known_spaces"]

PAGE = 1000


def begin(parts: Parts, client: "Client", asked: Mapping[str, Any], *, rows: int, spaces: Sequence[str]) -> None:
    """Fetch the predictors of all targets and spaces, and what was measured, and keep them with the plan.

    Args:
        parts: where they are kept.
        client: of the service.
        asked: with `targets` and `level`.
        rows: of the list.
        spaces: that its architectures are of; names that nobody knows are left to their rows.

    Raises:
        LatcastError: a target is not known, or no predictor of a space is adapted to it; says what to do.
    """
    listed, files, entries = client.targets(), dict[str, bytes](), list[dict[str, Any]]()
    for label in asked["targets"]:
        for space in spaces:
            target, number = find_target(listed, label, spaces=[space])["id"], len(entries)
            artifact, measured = f"predictor-{number}.safetensors", f"measured-{number}.json"
            files[artifact], files[measured] = _fetched(client, target, space, asked["level"])
            entries.append({"label": label, "space": space, "target": target,
                            "artifact": artifact, "measured": measured})  # fmt: skip
    parts.begin({"asked": dict(asked), "rows": rows, "sources": entries}, files)


def kept_sources(parts: Parts, plan: Mapping[str, Any]) -> Sources:
    """What `begin` kept."""
    entries = {(one["label"], one["space"]): one for one in plan["sources"]}
    return Sources(
        level=plan["asked"]["level"],
        labels=tuple(plan["asked"]["targets"]),
        artifacts={name: parts.file(one["artifact"]) for name, one in entries.items()},
        measured={
            name: {text: tuple(times) for text, times in json.loads(parts.file(one["measured"])).items()}
            for name, one in entries.items()
        },
    )


def known_spaces(names: Sequence[str]) -> list[str]:
    """The search spaces that are meant, by their own names; those that nobody knows are left out."""
    found = dict[str, None]()
    for name in names:
        try:
            found[get_space(name).name] = None
        except UnknownNameError:
            continue
    return list(found)


def _fetched(client: "Client", target: str, space: str, level: float) -> tuple[bytes, bytes]:
    """The predictor's artifact, and as JSON the measured latencies as the service answers them."""
    with TemporaryDirectory() as folder:
        artifact = Path(folder) / "predictor"
        client.download_predictor(target, space, artifact)
        predictor = artifact.read_bytes()
    texts = list(dict.fromkeys(_texts(client, target, space)))
    answers = client.target(target).predict(texts, space=space, level=level)
    columns = zip(answers.latency_ms, answers.low_ms, answers.high_ms, answers.measured, strict=True)
    measured = {
        text: [float(value) for value in times]
        for text, (*times, is_measured) in zip(texts, columns, strict=True)
        if is_measured
    }
    return predictor, json.dumps(measured).encode()


def _texts(client: "Client", target: str, space: str) -> Iterator[str]:
    """Architectures of the space that were measured on the target, page by page: a whole table takes long."""
    offset, matched = 0, 1
    while offset < matched:
        asked = {"space": space, "sort": "id", "offset": offset, "limit": PAGE}
        page = client.call("GET", f"/targets/{target}/rows", params=asked)
        yield from (row["text"] for row in page["items"] if row["text"])
        offset, matched = offset + PAGE, page["matched"]
