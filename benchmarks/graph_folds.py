"""Judges a kind of predictor on networks of the shipped data set's main target, in four folds by graph.

OMP_NUM_THREADS=1 python benchmarks/graph_folds.py --kind gcn --json folds.json
OMP_NUM_THREADS=1 python benchmarks/graph_folds.py --kind gcn:convolution=gine --kind boosted_trees
"""

import argparse
import json
from pathlib import Path

from base_training import judge_on_main_target, load

DATA = Path(__file__).parent / "data"


def main() -> None:
    """Judge each kind and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", required=True, help="KIND or KIND:NAME=VALUE,…; repeatable")
    parser.add_argument("--data", type=Path, default=DATA, help="[benchmarks/data]")
    parser.add_argument("--workers", type=int, default=2, help="folds trained at once. [2]")
    parser.add_argument("--seed", type=int, default=0, help="of folds and of training. [0]")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    arguments = parser.parse_args()
    measured, figures = load(arguments.data), {}
    for kind in arguments.kind:
        figures[kind] = judge_on_main_target(measured, kind, arguments.seed, workers=arguments.workers)
        print(f"{kind}: {json.dumps(figures[kind])}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
