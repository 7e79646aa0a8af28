"""What the families share: fields of inputs and of export styles, and the ends of classifiers."""

from collections.abc import Sequence

from profilers.search_spaces.builder import GraphBuilder, Style, Tensor
from profilers.search_spaces.families import Values
from profilers.search_spaces.fields import Choice, Field, Integer
from profilers.search_spaces.layers import flatten, global_pool, linear, make_divisible

__all__ = [
    "ACTIVATION",
    "BATCH",
    "IMAGE",
    "NORM_STYLE",
    "STYLE",
    "classify",
    "image",
    "network",
    "rounded",
    "spread",
    "yes_no",
]

OPSET = Choice(name="opset", values=tuple(range(11, 21)), default=17)
CONSTANTS = Choice(name="constants", values=("initializer", "node"), default="initializer", weights=(3, 1))
SHAPES = Choice(name="shapes", values=("static", "chain"), default="static", weights=(2, 1))
LINEAR = Choice(name="linear", values=("gemm", "matmul"), default="gemm", weights=(2, 1))
POOLING = Choice(name="pooling", values=("operator", "mean"), default="operator", weights=(2, 1))
COMPOSITES = Choice(name="composites", values=("operator", "parts"), default="operator")

STYLE: tuple[Field, ...] = (OPSET, CONSTANTS, SHAPES, LINEAR, POOLING, COMPOSITES)
"""How the exporter writes things; see `profilers.search_spaces.builder.Style`."""

NORM_STYLE = Choice(name="norm", values=("separate", "folded"), default="separate")
"""Whether batch normalisation is a node or folded into the convolution before it."""

BATCH = Choice(name="batch", values=(1, 2, 4, 8), default=1, weights=(12, 1, 1, 1))

RESOLUTIONS = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 288, 320)
IMAGE: tuple[Field, ...] = (
    Choice(name="resolution", values=RESOLUTIONS, default=224, weights=(1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1)),
    BATCH,
)
"""Fields of an image input."""

CLASSES = Integer(name="classes", low=2, high=1000, default=1000)
ACTIVATION = Choice(
    name="activation",
    values=("relu", "relu6", "leakyrelu", "prelu", "elu", "silu", "hardswish", "mish", "gelu"),
    default="relu",
    weights=(9, 3, 2, 1, 1, 3, 2, 1, 1),
)


def yes_no(name: str, default: str = "no", *, yes: float = 1.0) -> Choice:
    """A field that is no or yes; `yes` says how much more often than no it is drawn as yes."""
    return Choice(name=name, values=("no", "yes"), default=default, weights=(1.0, yes))


def network(name: str, values: Values) -> GraphBuilder:
    """An empty network in the style that the fields ask for."""
    style = Style(
        opset=values["opset"],
        fold_batch_norm=values.get("norm") == "folded",
        constant_nodes=values["constants"] == "node",
        shape_chains=values["shapes"] == "chain",
        matmul_linear=values["linear"] == "matmul",
        mean_pool=values["pooling"] == "mean",
        parts=values["composites"] == "parts",
    )
    return GraphBuilder(name, style)


def image(net: GraphBuilder, values: Values, channels: int = 3) -> Tensor:
    """The image input."""
    side = values["resolution"]
    return net.input("image", (values["batch"], channels, side, side))


def classify(net: GraphBuilder, x: Tensor, classes: int) -> None:
    """Global pooling, one linear layer, output."""
    net.output(linear(net, flatten(net, global_pool(net, x)), classes))


def spread(total: int, parts: int) -> tuple[int, ...]:
    """`total` blocks over `parts` stages, at least one each, the surplus in the middle ones."""
    counts = [max(1, total // parts)] * parts
    for index in range(max(0, total - sum(counts))):
        counts[(parts // 2 + index) % parts] += 1
    return tuple(counts)


def rounded(values: Sequence[float], divisor: int = 8) -> tuple[int, ...]:
    """Channel counts as multiples of `divisor`."""
    return tuple(make_divisible(value, divisor) for value in values)
