"""An adapted predictor of a search space as one ONNX file, or as a torch module: for loops that cannot afford HTTP.

Both take `choices`, int64 (n, places), the options at the positions of n architectures (`SearchSpace.choices`), and
give `latency_ms`, `low_ms`, `high_ms` and `log_std`, float64 (n,) each, as `CellPredictor.predict` has them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latcast.schema import InputError, MissingEvidenceError
from predictors.base import FloatArray, normal_quantile
from predictors.kinds.universal.cells.posterior import CostProfile
from predictors.kinds.universal.cells.predictor import CellPredictor
from predictors.kinds.universal.predictor import UniversalPredictor
from profilers.search_spaces import get_space

__all__ = ["to_onnx", "to_torch"]

OPSET, IR_VERSION = 17, 10
OUTPUTS = ("latency_ms", "low_ms", "high_ms", "log_std")
MOST_ROWS = 1_000_000
"""Architectures of a space whose features are tabulated."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an export is made of.

    Args:
        profile: the device's costs.
        centre: float64 (p,), by which features are centred.
        steps: int64 (places,): the row of `table` is choices · steps; None where features are one-hot.
        table: uint8 (rows, p), features of all architectures; None where they are one-hot.
        places, options: int64 (p,): the column is one where that option stands at that place.
        width: half of the interval, in standard deviations of log latency.
    """

    profile: CostProfile
    centre: FloatArray
    steps: NDArray[np.int64] | None
    table: NDArray[np.uint8] | None
    places: NDArray[np.int64]
    options: NDArray[np.int64]
    width: float


def _parts(predictor: UniversalPredictor | CellPredictor, level: float) -> _Parts:
    cells = predictor.fitted if isinstance(predictor, UniversalPredictor) else predictor
    if not isinstance(cells, CellPredictor):
        raise InputError("Only predictors of a search space can be exported so, not those of whole graphs.")
    if cells.adapted_ is None:
        raise MissingEvidenceError("Adapt the predictor to a device first: what is exported forecasts for one device.")
    space, prior = get_space(cells.prior.space.name), cells.prior
    sizes = [len(position.options) for position in space.positions()]
    width = normal_quantile((1 + level) / 2) * cells.adapted_.tail_scale
    places = np.repeat(np.arange(len(sizes)), sizes)
    options = np.concatenate([np.arange(size) for size in sizes])
    steps = table = None
    if len(places) != len(prior.centre):
        rows = int(np.prod(sizes))
        if rows > MOST_ROWS:
            raise InputError(f"The features of {space.name} cannot be exported: they are no sums over its positions.")
        steps = np.array([int(np.prod(sizes[place + 1 :])) for place in range(len(sizes))], dtype=np.int64)
        codes = np.stack(np.unravel_index(np.arange(rows), sizes), axis=1)
        texts = [space.from_choices([int(code) for code in row]).text for row in codes]
        table = prior.space.features(texts).astype(np.uint8)
    return _Parts(cells.adapted_, prior.centre, steps, table, places, options, width)


def to_onnx(predictor: UniversalPredictor | CellPredictor, *, level: float = 0.9) -> bytes:
    """The predictor as an ONNX model.

    Args:
        predictor: adapted to a device, of a search space.
        level: probability that the intervals hold the latencies, in (0, 1).

    Raises:
        InputError: it reads graphs, or features that are no function of choices.
        MissingEvidenceError: it is not adapted.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    parts = _parts(predictor, level)
    net = _Net()
    features = net.features(parts)
    net.forecast(parts, features)
    inputs = [helper.make_tensor_value_info("choices", TensorProto.INT64, ["n", int(parts.places.max()) + 1])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n"]) for name in OUTPUTS]
    weights = [numpy_helper.from_array(array, name) for name, array in net.constants.items()]
    graph = helper.make_graph(net.nodes, "latency", inputs, outputs, initializer=weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Net:
    """Nodes of the ONNX graph, and its constants by name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def op(self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        """A node; inputs are names of values, or constants."""
        from onnx import helper

        name = output or f"v{len(self.nodes)}"
        read = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        self.nodes.append(helper.make_node(operator, read, [name], **attributes))
        return name

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype=None if isinstance(value, np.ndarray) else np.float64)
        return name

    def features(self, parts: _Parts) -> str:
        """Features of the architectures, double (n, p)."""
        from onnx import TensorProto

        if parts.table is not None and parts.steps is not None:
            weighed = self.op("Mul", "choices", parts.steps)
            place = self.op("ReduceSum", weighed, np.array([1]), keepdims=0)
            found = self.op("Gather", parts.table, place, axis=0)
        else:
            found = self.op("Equal", self.op("Gather", "choices", parts.places, axis=1), parts.options)
        return self.op("Cast", found, to=TensorProto.DOUBLE)

    def forecast(self, parts: _Parts, features: str) -> None:
        """Median, interval and spread of features: `CostProfile.forecast`."""
        profile = parts.profile
        x = self.op("Sub", features, parts.centre)
        weights, intercept = profile.mean[:-1], float(profile.mean[-1])
        level = self.op("Add", self.op("MatMul", x, weights), 1.0 + intercept)
        inner = self.op("Add", self.op("MatMul", x, profile.covariance[:-1, :-1]), 2 * profile.covariance[-1, :-1])
        quadratic = self.op("ReduceSum", self.op("Mul", inner, x), np.array([1]), keepdims=0)
        variance = self.op("Max", self.op("Add", quadratic, float(profile.covariance[-1, -1])), 0.0)
        variance = self.op("Add", variance, profile.rounding)
        clipped = self.op("Clip", level, -1.0, 0.1)
        low = self.op("Mul", self.op("Exp", self.op("Sub", self.op("Div", clipped, 0.1), 1.0)), 0.1)
        positive = self.op("Where", self.op("Greater", level, 0.1), level, low)
        self.op("Mul", positive, profile.scale_ms, output="latency_ms")
        floor = self.op("Max", level, 0.1)
        relative = self.op("Div", variance, self.op("Mul", floor, floor))
        self.op("Sqrt", self.op("Add", relative, profile.noise), output="log_std")
        wide = self.op("Exp", self.op("Mul", "log_std", parts.width))
        self.op("Div", "latency_ms", wide, output="low_ms")
        self.op("Mul", "latency_ms", wide, output="high_ms")


def to_torch(predictor: UniversalPredictor | CellPredictor, *, level: float = 0.9) -> Any:
    """The predictor as a `torch.nn.Module` of choices; its gradients reach no further than the buffers.

    Args:
        predictor: adapted to a device, of a search space.
        level: probability that the intervals hold the latencies, in (0, 1).

    Returns:
        A module whose call gives `latency_ms`, `low_ms`, `high_ms` and `log_std` by name, float64 (n,) each.

    Raises:
        InputError: it reads graphs, or features that are no function of choices.
        MissingEvidenceError: it is not adapted.
    """
    import torch

    parts = _parts(predictor, level)

    class LatencyModule(torch.nn.Module):
        """Forecasts of one device."""

        centre: Any
        mean: Any
        covariance: Any
        places: Any
        options: Any
        table: Any
        steps: Any

        def __init__(self) -> None:
            super().__init__()
            profile = parts.profile
            arrays = {
                "centre": parts.centre,
                "mean": profile.mean,
                "covariance": profile.covariance,
                "places": parts.places,
                "options": parts.options,
                "table": parts.table,
                "steps": parts.steps,
            }
            for name, array in arrays.items():  # fmt: skip
                self.register_buffer(name, None if array is None else torch.from_numpy(np.array(array)))

        def features(self, choices: Any) -> Any:
            """Features of the architectures, float64 (n, p)."""
            if self.table is not None:
                return self.table[(choices * self.steps).sum(dim=1)].double()
            return (choices[:, self.places] == self.options).double()

        def forward(self, choices: Any) -> dict[str, Any]:
            """Forecasts of choices, int64 (n, places)."""
            profile = parts.profile
            x = self.features(choices) - self.centre
            rows = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype, device=x.device)], dim=1)
            relative = 1 + rows @ self.mean
            variance = ((rows @ self.covariance) * rows).sum(dim=1).clamp(min=0) + profile.rounding
            low = 0.1 * torch.exp(relative.clamp(-1.0, 0.1) / 0.1 - 1)
            latency = profile.scale_ms * torch.where(relative > 0.1, relative, low)
            log_std = torch.sqrt(variance / relative.clamp(min=0.1) ** 2 + profile.noise)
            wide = torch.exp(parts.width * log_std)
            return {"latency_ms": latency, "low_ms": latency / wide, "high_ms": latency * wide, "log_std": log_std}

    return LatencyModule()
