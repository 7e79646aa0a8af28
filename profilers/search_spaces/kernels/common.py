"""Fields that several kernels share. Ranges are those of real networks, drawn log-uniformly."""

from profilers.search_spaces.builder import GraphBuilder, Style, Tensor
from profilers.search_spaces.families import Values
from profilers.search_spaces.fields import Choice, Integer

__all__ = ["AXES_OF_FORM", "BATCH", "CHANNELS", "FORM", "SIZE", "SPATIAL", "graph", "image", "integer", "matrix"]

OPSET = 17


def integer(name: str, high: int, default: int, *, low: int = 1, favoured: int = 8) -> Integer:
    """A size; draws favour multiples of 8, as people do."""
    return Integer(name=name, low=low, high=high, default=default, favoured=favoured)


BATCH = Choice(name="batch", values=(1, 2, 4, 8, 16, 32), default=1, weights=(12, 1, 1, 1, 1, 1))
CHANNELS = integer("channels", 2048, 64)
SIZE = integer("size", 320, 28, favoured=4)
SPATIAL = (CHANNELS, SIZE, Choice(name="aspect", values=(1, 2, 4), default=1, weights=(6, 1, 1)), BATCH)
"""Fields of a feature map (batch, channels, size, aspect · size)."""
AXES_OF_FORM: dict[str, tuple[int, int]] = {"same": (1, 1), "row": (0, 1), "column": (1, 0)}
"""Whether a window or a scale has its size along (height, width), or 1."""
FORM = Choice(name="form", values=tuple(AXES_OF_FORM), default="same", weights=(4, 1, 1))


def graph(name: str, *, parts: bool = False) -> GraphBuilder:
    """An empty graph; `parts` spells composite functions out."""
    return GraphBuilder(name, Style(opset=OPSET, parts=parts, fold_batch_norm=True))


def image(net: GraphBuilder, values: Values, channels: int) -> Tensor:
    """An input feature map (batch, channels, size, aspect · size)."""
    size = values["size"]
    return net.input("x", (values["batch"], channels, size, size * values["aspect"]))


def matrix(net: GraphBuilder, values: Values, name: str = "x") -> Tensor:
    """An input (rows, columns)."""
    return net.input(name, (values["rows"], values["columns"]))
