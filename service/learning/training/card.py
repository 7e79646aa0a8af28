"""Model cards: what a predictor was trained on, how well it forecasts what it had not seen, and what rebuilds it.

After Mitchell et al., Model Cards for Model Reporting (FAT* 2019, https://arxiv.org/abs/1810.03993).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from latcast.schema.counting import counted
from latcast.schema.printable import visible
from predictors.artifact import Artifact
from predictors.base import LatencyDataset, normal_quantile
from predictors.evaluation.cross_validation import HeldOut, Trained
from predictors.evaluation.metrics import absolute_percentage_error
from predictors.evaluation.plots import lines
from service.db import tables
from service.learning.training.rows import families

__all__ = ["calibration_svg", "data_facts", "model_card"]

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.5)
Plain = dict[str, Any]


def data_facts(session: Session, dataset_id: str, data: LatencyDataset, *, unread: int, undescribed: int = 0) -> Plain:
    """What the rows are, in JSON values: the manifest, the targets with their hosts, and the families.

    Args:
        session: reads.
        dataset_id: id of the manifest.
        data: rows that were learnt from.
        unread: measurements of the manifest whose graphs cannot be read.
        undescribed: those of targets that have not measured the references by which the kind describes devices.
    """
    manifest = session.get_one(tables.Dataset, dataset_id)
    devices = {row.id: row for row in session.scalars(select(tables.Device))}
    rows = {row.id: row for row in session.scalars(select(tables.Target))}
    targets = []
    for target_id, places in data.targets().items():
        target, device = data.queries[places[0]].target, devices.get(rows[target_id].device_id or "")
        host = _host(device) if device is not None else {"name": target.device}
        targets.append({"id": target_id, "label": target.label, "rows": len(places), "origin": target.origin, **host})
    return {
        "dataset": dataset_id,
        "rows_digest": manifest.rows_digest,
        "chosen_by": manifest.filter,
        "measurements": manifest.rows,
        "unread": unread,
        "undescribed": undescribed,
        "targets": targets,
        "families": dict(sorted(Counter(families(data.queries)).items())),
    }


def _host(device: tables.Device) -> Plain:
    names = ("processor", "physical_cores", "memory_bytes", "system")
    return {"name": device.name, **{name: device.record[name] for name in names if device.record.get(name)}}


# --- The chart --------------------------------------------------------------------------------------------------


def calibration_svg(data: LatencyDataset, trained: Trained) -> str:
    """How often held-out latencies lie within intervals, against how often these say; without intervals, errors.

    Args:
        data: rows that were learnt from.
        trained: with the forecasts of held-out rows.
    """
    parts = {"held-out networks": trained.networks, "held-out targets": trained.targets}
    judged = {name: part for name, part in parts.items() if part is not None and len(part.rows)}
    claimed = {name: points for name, part in judged.items() if (points := _calibration(data, part))}
    if claimed:
        stated = {"as stated": [(100 * level, 100 * level) for level in LEVELS]}
        return lines("Calibration of intervals", "latencies inside, %", "stated, %", {**claimed, **stated})
    errors = {name: _errors(data, part) for name, part in judged.items()} or {"nothing was held out": [(0.0, 0.0)]}
    return lines("Errors (no intervals are claimed)", "forecasts, %", "error at most, %", errors)


def _calibration(data: LatencyDataset, part: HeldOut) -> list[tuple[float, float]]:
    prediction = part.prediction(part.rows)
    if prediction.log_std is None:
        return []
    apart = np.abs(np.log(data.latency_ms[part.rows] / prediction.median_ms))
    inside = [float(np.mean(apart <= normal_quantile((1 + level) / 2) * prediction.log_std)) for level in LEVELS]
    return [(100 * level, 100 * share) for level, share in zip(LEVELS, inside, strict=True)]


def _errors(data: LatencyDataset, part: HeldOut) -> list[tuple[float, float]]:
    errors = absolute_percentage_error(data.latency_ms[part.rows], part.median_ms[part.rows])
    return [(100 * bound, 100 * float(np.mean(errors <= bound))) for bound in BOUNDS]


# --- The text ---------------------------------------------------------------------------------------------------


def model_card(artifact: Artifact) -> str:
    """The card of an artifact that was trained by `service.learning.training.trainer`, in Markdown."""
    metrics = artifact.metrics
    parts = [
        f"# {artifact.kind}",
        _about(artifact),
        "## Data",
        _data(metrics["data"]),
        "## How well it forecasts what it had not seen",
        _judged(metrics),
        "## What rebuilds it",
        _recipe(artifact),
    ]
    return "\n\n".join(parts) + "\n"


def _about(artifact: Artifact) -> str:
    metrics = artifact.metrics
    return (
        f"A predictor of latency of kind `{artifact.kind}`, fitted on {counted(metrics['rows'], 'measurement')} of "
        f"{counted(metrics['networks'], 'network')} on {counted(len(metrics['data']['targets']), 'target')} in "
        f"{metrics['fit_s']:.1f} s. "
        "It forecasts latencies in ms on these targets, and on others after an adaptation to a few measurements; of "
        "networks unlike those below it knows less than its figures say."
    )


def _data(data: Plain) -> str:
    unread = f" The graphs of {data['unread']:,} of them cannot be read." if data["unread"] else ""
    if left := data.get("undescribed"):
        unread += f" {left:,} are left out, of targets that have not measured the reference networks of the others."
    rows = [
        (target["name"], target["label"], f"{target['rows']:,}", target.get("processor", ""), target["origin"])
        for target in data["targets"]
    ]
    count = [(name, f"{count:,}") for name, count in data["families"].items()]
    return "\n\n".join(
        [
            f"Manifest `{data['dataset']}`: {counted(data['measurements'], 'measurement')}.{unread}",
            _table(("host", "target", "rows", "processor", "origin and licence"), rows),
            _table(("family", "rows"), count),
        ]
    )


def _judged(metrics: Mapping[str, Any]) -> str:
    names = {target["id"]: f"{target['name']}, {target['label']}" for target in metrics["data"]["targets"]}
    parts: list[str] = []
    if (whole := metrics.get("cross_validation")) is not None:
        parts += [
            f"Networks held out, in {counted(whole['folds'], 'fold')}; their targets are known. ± is the standard "
            "deviation over the folds; the last column says how many of the 90 % intervals hold.",
            _figures({"all": whole}),
            "By target:",
            _figures({names.get(key, key): value for key, value in metrics["targets"].items()}),
            "By family:",
            _figures(metrics.get("families", {})),
        ]
    if (apart := metrics.get("held_out_targets")) is not None:
        parts += [
            f"Targets held out, in {counted(apart['folds'], 'fold')}, each adapted to {apart['samples']} of its "
            "measurements, "
            "which are not judged; other targets have measured the same networks.",
            _figures({"all": apart, **{names.get(key, key): value for key, value in apart["targets"].items()}}),
        ]
    return "\n\n".join(parts or ["Nothing was held out: how well it forecasts is not known."])


def _figures(by_name: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (
            name,
            f"{one['rows']:,}",
            _number(one, "spearman", "{:.3f}"),
            _number(one, "median_ape", "{:.1%}"),
            _number(one, "within_10", "{:.0%}"),
            _number(one, "within_20", "{:.0%}"),
            _number(one, "interval_coverage", "{:.0%}"),
        )
        for name, one in by_name.items()
    ]
    return _table(("", "rows", "Spearman", "median error", "±10 %", "±20 %", "90 % holds"), rows)


def _number(figures: Mapping[str, Any], name: str, form: str) -> str:
    value, spread = figures.get(name), figures.get("spread", {}).get(name)
    if value is None:
        return "–"
    return form.format(value) + (f" ± {form.format(spread)}" if spread is not None else "")


def _recipe(artifact: Artifact) -> str:
    recipe = {
        "kind": artifact.kind,
        "hyperparameters": dict(artifact.hyperparameters),
        "seed": artifact.seed,
        "features": artifact.feature_version,
        "dataset_digest": artifact.dataset_digest,
        "rows_digest": artifact.metrics["data"]["rows_digest"],
        "chosen_by": artifact.metrics["data"]["chosen_by"],
        "libraries": dict(artifact.library_versions),
    }
    return f"```json\n{json.dumps(recipe, indent=2, sort_keys=True)}\n```"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "–"
    lines_ = [" | ".join(names), " | ".join("---" for _ in names), *(" | ".join(map(_cell, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines_)


def _cell(text: str) -> str:
    """The text, which neither ends the cell nor is markup."""
    return visible(text).replace("|", "\\|").replace("<", "&lt;")
