"""Latency for searches by gradient: an expectation over architecture weights, and TuNAS's reward.

`ExpectedLatency` is the sum of FBNet (Wu et al., CVPR 2019, https://arxiv.org/abs/1812.03443, section 3.3) and of
ProxylessNAS (Cai et al., ICLR 2019, https://arxiv.org/abs/1812.00332, section 3.3): E[latency] = overhead + Σ over
positions of Σ over options of weight · cost.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from latcast.schema import InputError

__all__ = ["ExpectedLatency", "absolute_reward"]  # noqa: F822 - made on first use


def absolute_reward(quality: Any, latency_ms: Any, limit_ms: float, *, beta: float = -0.07) -> Any:
    """TuNAS's absolute reward, quality + β · |latency / limit − 1| (Bender et al., CVPR 2020,
    https://arxiv.org/abs/2008.06120, section 4): it has its best near the limit, not below it.

    Args:
        quality: accuracy, 0–1; a number, an array or a tensor.
        latency_ms: of the network, of the same form.
        limit_ms: that is aimed at.
        beta: below 0; how much a latency that is off by its whole limit costs.

    Raises:
        InputError: beta is not negative, or the limit not positive.
    """
    if not (beta < 0 < limit_ms):
        raise InputError("The reward takes a positive limit and a negative beta.")
    return quality + beta * abs(latency_ms / limit_ms - 1)


@cache
def _module() -> Any:
    import torch

    class ExpectedLatency(torch.nn.Module):
        """Expected latency in ms of a distribution over architectures, with gradients to its weights.

        Args:
            table: what `RemoteTarget.lookup_table` gave. An option that no sample had costs what the dearest one of
                its position does.
        """

        costs_ms: Any
        overhead_ms: Any

        def __init__(self, table: Mapping[str, Any]) -> None:
            super().__init__()
            self.names = [[option["name"] for option in position["options"]] for position in table["positions"]]
            rows = [_costs(position) for position in table["positions"]]
            width = max(map(len, rows))
            padded = [[*row, *[0.0] * (width - len(row))] for row in rows]
            self.register_buffer("costs_ms", torch.tensor(padded))  # (positions, most options)
            self.register_buffer("overhead_ms", torch.tensor(float(table["overhead_ms"])))

        def forward(self, weights: Any) -> Any:
            """Expected latency in ms, a scalar.

            Args:
                weights: probabilities of the options, (positions, options), or a sequence with a tensor (options,) for
                    each position, where positions have different numbers of options. One-hot rows are an architecture;
                    a row of zeros is an absent position.

            Raises:
                InputError: they do not fit the table.
            """
            rows = list(weights)
            if [len(row) for row in rows] != list(map(len, self.names)):
                raise InputError("The weights need a row for each position, with a number for each of its options.")
            sums = [(row * costs[: len(row)]).sum() for row, costs in zip(rows, self.costs_ms, strict=True)]
            return torch.stack(sums).sum() + self.overhead_ms

    return ExpectedLatency


def _costs(position: Mapping[str, Any]) -> Sequence[float]:
    costs = [option["cost_ms"] for option in position["options"]]
    dearest = max((cost for cost in costs if cost is not None), default=0.0)
    return [dearest if cost is None else cost for cost in costs]


def __getattr__(name: str) -> Any:
    """`ExpectedLatency` on first use: torch is imported by who has it."""
    if name == "ExpectedLatency":
        return _module()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
