"""Parts that the examples share: how they are called, cells of NAS-Bench-201, and a stand-in for training."""

import argparse
import os
from collections.abc import Sequence
from typing import Any

from latcast import Client, Feasible

SPACE = "nasbench201"
OPERATORS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = 6


def options(text: str, *, trials: int = 200) -> argparse.Namespace:
    """The options of an example that makes so many trials by default."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--server", default=os.environ.get("LATCAST_SERVER", "http://127.0.0.1:8321"))
    parser.add_argument(
        "--target", help="its id, its device's name, or words of its label; the only one where left out"
    )
    parser.add_argument("--limit-ms", type=float, default=20.0)
    parser.add_argument("--probability", type=float, default=0.9)
    parser.add_argument("--trials", type=int, default=trials)
    return parser.parse_args()


def feasible(client: Client, asked: argparse.Namespace) -> Feasible:
    """The limit on the target that was asked for."""
    return Feasible(client.find_target(asked.target), asked.limit_ms, asked.probability, space=SPACE)


def text_of(choices: Sequence[Any]) -> str:
    """The cell with these operators, by name or by number."""
    names = [choice if isinstance(choice, str) else OPERATORS[int(choice)] for choice in choices]
    return f"|{names[0]}~0|+|{names[1]}~0|{names[2]}~1|+|{names[3]}~0|{names[4]}~1|{names[5]}~2|"


def score(text: str) -> float:
    """A stand-in for training and testing a network: more and larger convolutions, and a way around them."""
    return 2.0 * text.count("nor_conv_3x3") + text.count("nor_conv_1x1") + 0.5 * min(1, text.count("skip_connect"))
