"""Shapes of those ai.onnx.ml operators that onnx leaves open."""

from collections.abc import Mapping

from profilers.onnx_graph.shapes.rules import Inputs, Output, Plain, Rule, dims_of, dtype_of

__all__ = ["LEARNING_RULES"]


def _scores(outputs: tuple[str, ...], count: str) -> Rule:
    """ai.onnx.ml models: X (N, F) -> (N, targets); the attribute `count` holds the targets' number or the labels."""

    def rule(inputs: Inputs, attributes: Plain) -> list[Output]:
        dims = dims_of(inputs, 0)
        rows: int | None = None if dims is None else dims[0] if len(dims) > 1 else 1
        given = attributes.get(count)
        columns = len(given) if isinstance(given, tuple) else given
        if columns is None and "classlabels_strings" in attributes:
            columns = len(attributes["classlabels_strings"])
        label = "string" if "classlabels_strings" in attributes else "int64"
        return [("float32", (rows, columns)) if kind == "scores" else (label, (rows,)) for kind in outputs]

    return rule


def _floats(inputs: Inputs, _: Plain) -> list[Output]:
    return [("float32", dims_of(inputs, 0))]


def _same(inputs: Inputs, _: Plain) -> list[Output]:
    return [(dtype_of(inputs, 0), dims_of(inputs, 0))]


def _regression(inputs: Inputs, attributes: Plain) -> list[Output]:
    """(N, F) -> (N, targets)."""
    return [("float32", (*(dims_of(inputs, 0) or (None,))[:1], int(attributes.get("targets", 1))))]


def _joined(inputs: Inputs, attributes: Plain) -> list[Output]:
    """FeatureVectorizer: columns side by side, as many of each as `inputdimensions` says."""
    rows = (dims_of(inputs, 0) or (None,))[:1]
    return [("float32", (*rows, sum(map(int, attributes.get("inputdimensions", ()))) or None))]


LEARNING_RULES: Mapping[str, Rule] = {
    "FeatureVectorizer": _joined, "Imputer": _same, "LinearRegressor": _regression, "Normalizer": _floats,
    "SVMRegressor": lambda inputs, _: _regression(inputs, {}), "Scaler": _floats,
    "TreeEnsembleClassifier": _scores(("labels", "scores"), "classlabels_int64s"),
    "TreeEnsembleRegressor": _scores(("scores",), "n_targets"),
}  # fmt: skip
"""By operator."""
