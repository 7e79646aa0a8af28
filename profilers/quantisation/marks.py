"""How a quantised model says what it is, and where its tensors come from; light, for processes that only run it.

Tensors that quantisation adds are renamed after the tensor of the model that they serve: `conv1@latcast:3` belongs to
the node that produces `conv1`, and so does the time of what computes it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["CALIBRATION_FEEDS", "INT8_PRECISIONS", "MARK", "SEPARATOR", "Feeds", "original_tensors"]

CALIBRATION_FEEDS = 3
INT8_PRECISIONS = ("int8_dynamic", "int8_static")
MARK = "latcast:precision"
"""Key of the model's metadata."""
SEPARATOR = "@latcast:"

Feeds = Mapping[str, np.ndarray[Any, Any]]


def original_tensors(names: Iterable[str]) -> tuple[str, ...]:
    """The tensors of the model before it was quantised that these tensors belong to, each once."""
    return tuple(dict.fromkeys(name.partition(SEPARATOR)[0] for name in names))
