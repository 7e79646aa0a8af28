"""Trains, judges and writes the base predictor that latcast ships, from a measured data set.

python benchmarks/train_base.py --data benchmarks/data
"""

import argparse
from pathlib import Path

from base_training import judge, load_campaigns, write_card

from predictors.base import Provenance
from predictors.dataset import dataset_digest
from predictors.kernel_sum import KernelSumPredictor

PRETRAINED = Path(__file__).parents[1] / "predictors" / "pretrained" / "kernel_sum-base.safetensors"
TARGET = "fp32 1 thread optimisation=all spinning=off"


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that `latcast dataset pack` wrote")
    parser.add_argument("--target", default=TARGET, help="end of the label of the target to train on")
    parser.add_argument("--output", type=Path, default=PRETRAINED, help="artifact; the card goes beside it")
    parser.add_argument("--seed", type=int, default=0, help="of folds and trees")
    arguments = parser.parse_args()
    campaigns = load_campaigns(arguments.data, arguments.target)
    print(f"{len(campaigns.dataset)} rows, {len(campaigns.networks)} networks to be judged on", flush=True)
    figures = judge(campaigns, KernelSumPredictor, arguments.seed)
    predictor = KernelSumPredictor(seed=arguments.seed).fit(campaigns.dataset)
    predictor.provenance_ = Provenance(dataset_digest=dataset_digest(campaigns.dataset), metrics=figures)
    artifact = predictor.to_artifact().save(arguments.output)
    write_card(arguments.output.with_suffix(".md"), campaigns, figures, artifact.stat().st_size)
    print(f"{artifact}: {figures['unadapted']}", flush=True)


if __name__ == "__main__":
    main()
