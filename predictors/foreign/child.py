"""The process that reads foreign models, and what predictors read of them, for a `ForeignReader`."""

from collections.abc import Mapping, Sequence
from typing import Any

from predictors.foreign.features import FEATURES, FeatureKind
from predictors.foreign.reader import features_of
from predictors.networks import Feature, GraphFeatures
from profilers.host.long_lived import Requests
from profilers.onnx_graph.isolated import child
from profilers.onnx_graph.isolated.arrays import Arrays
from profilers.onnx_graph.isolated.child import Opened, PartReader
from profilers.onnx_graph.isolated.model_file import whole
from profilers.onnx_graph.isolated.pool import Source, read_answer, request_of
from profilers.onnx_graph.limits import Limits

__all__ = ["PARTS", "read_here"]


def _reading(kind: FeatureKind) -> PartReader:
    def read(opened: Opened, *arguments: Any) -> tuple[Any, Arrays]:
        return kind.pack(opened.graph, *arguments)

    return read


PARTS: Mapping[str, PartReader] = {**{name: _reading(kind) for name, kind in FEATURES.items()}, **child.PARTS}
"""What can be read of a model, by name."""


def read_here(source: Source, features: Sequence[Feature], *, limits: Limits = Limits()) -> GraphFeatures:  # noqa: B008
    """What a `ForeignReader` gives, read in this process: for models of one's own, and for tests.

    Raises:
        InputError: the model cannot be read, or the text is none.
    """
    header, payload = request_of(source, limits)
    asked = {**header, "parts": [list(each) for each in features]}
    answer, content = child.answered(asked, whole(payload), limits, PARTS)
    return features_of(read_answer(answer, b"".join(content), len(features)), features)


if __name__ == "__main__":
    child.serve(Requests.of_this_process(), PARTS)
