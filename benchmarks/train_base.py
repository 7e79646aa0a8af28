"""Trains, judges and writes the base predictors that latcast ships, from a measured data set.

python benchmarks/train_base.py --kind universal
python benchmarks/train_base.py --kind kernel_sum --workers 4
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from base_training import judge, load, make, write_card

from predictors.base import Provenance
from predictors.data.splits import dataset_digest

ROOT = Path(__file__).parents[1]
ARTIFACTS = {"universal": "universal-graphs", "kernel_sum": "kernel_sum-base"}


def main() -> None:
    """Train, judge, and write the artifact with its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=sorted(ARTIFACTS), default="universal", help="[universal]")
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data", help="[benchmarks/data]")
    parser.add_argument("--output", type=Path, help="artifact; the card goes beside it. [predictors/pretrained]")
    parser.add_argument("--workers", type=int, default=2, help="folds judged at once. [2]")
    parser.add_argument("--seed", type=int, default=0, help="of folds and of training. [0]")
    parser.add_argument("--figures", type=Path, help="JSON of an earlier judgement, instead of judging again")
    arguments = parser.parse_args()
    output = arguments.output or ROOT / "predictors" / "pretrained" / f"{ARTIFACTS[arguments.kind]}.safetensors"
    measured = load(arguments.data)
    print(f"{len(measured.dataset)} rows, {len(measured.networks)} of them networks", flush=True)
    predictor = make(arguments.kind, arguments.seed).fit(measured.dataset, progress=_report)
    digest = dataset_digest(measured.dataset)
    artifact = replace(predictor.to_artifact(), dataset_digest=digest).save(output)
    if arguments.figures:
        figures = json.loads(arguments.figures.read_text())
    else:
        figures = judge(measured, arguments.kind, arguments.seed, workers=arguments.workers)
    predictor.provenance_ = Provenance(dataset_digest=digest, metrics=figures)
    predictor.to_artifact().save(output)
    write_card(output.with_suffix(".md"), measured, arguments.kind, figures, artifact.stat().st_size)
    print(json.dumps(figures), flush=True)


def _report(share: float, what: str) -> None:
    print(f"{100 * share:3.0f} % {what}", flush=True)


if __name__ == "__main__":
    main()
