"""Kernels that gather many elements into few, and normalisations built on them."""

from latcast.schema.counting import counted
from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice
from profilers.search_spaces.kernels.common import SPATIAL, graph, image, integer, matrix
from profilers.search_spaces.layers import avg_pool, batch_norm, global_pool, max_pool
from profilers.search_spaces.sequences import layer_norm, rms_norm

__all__ = ["FAMILIES"]

ROWS, COLUMNS = integer("rows", 16384, 64), integer("columns", 65536, 256)
AXES = {"last": (2,), "middle": (1,), "first": (0,), "last_two": (1, 2)}
ATTRIBUTE_AXES = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd")
"""Reductions whose axes are an attribute at opset 17; ReduceSum's are an input."""


def build_pool(values: Values) -> GraphBuilder:
    """One pooling over a window, or over everything."""
    net = graph("pool")
    x = image(net, values, values["channels"])
    kernel, stride = values["kernel"], values["stride"]
    match values["op"]:
        case "max":
            net.output(max_pool(net, x, kernel, stride, kernel // 2))
        case "average":
            net.output(avg_pool(net, x, kernel, stride, kernel // 2, count_pad=False))
        case "global_max":
            net.output(net.op("GlobalMaxPool", [x], (*x.shape[:2], 1, 1)))
        case _:
            net.output(global_pool(net, x))
    return net


def build_reduce(values: Values) -> GraphBuilder:
    """One reduction of (outer, middle, inner)."""
    net = graph("reduce")
    x = net.input("x", (values["outer"], values["middle"], values["inner"]))
    axes, operator = AXES[values["axes"]], values["op"]
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    if operator == "ArgMax":
        shape = [1 if axis == axes[-1] else size for axis, size in enumerate(x.shape)]
        y = net.op("ArgMax", [x], shape, dtype="int64", axis=axes[-1], keepdims=1)
    elif operator in ATTRIBUTE_AXES:
        y = net.op(operator, [x], shape, axes=axes, keepdims=1)
    else:
        y = net.op("ReduceSum", [x, net.constant(list(axes))], shape, keepdims=1)
    net.output(y)
    return net


def build_softmax(values: Values) -> GraphBuilder:
    """Softmax or its logarithm over the rows or the columns of a matrix."""
    net = graph("softmax")
    x = matrix(net, values)
    net.output(net.op(values["op"], [x], axis=1 if values["over"] == "columns" else 0))
    return net


def build_layer_norm(values: Values) -> GraphBuilder:
    """Layer or root-mean-square normalisation of each row."""
    net = graph("layernorm", parts=values["form"] == "parts")
    x = matrix(net, values)
    net.output(rms_norm(net, x) if values["form"] == "rms" else layer_norm(net, x))
    return net


def _instance_norm(net: GraphBuilder, x: Tensor) -> Tensor:
    return net.op("InstanceNormalization", [x, net.weight(x.channels, role="scale"), net.weight(x.channels)])


def image_norm_family(name: str) -> Family:
    """One normalisation of a feature map."""

    def build(values: Values) -> GraphBuilder:
        net = graph(name)
        x = image(net, values, values["channels"])
        if name == "lrn":
            y = net.op("LRN", [x], size=values["window"], alpha=1e-4, beta=0.75, bias=1.0)
        else:
            y = batch_norm(net, x) if name == "batchnorm" else _instance_norm(net, x)
        net.output(y)
        return net

    window = (Choice(name="window", values=(3, 5, 7), default=5),) if name == "lrn" else ()
    return Family(name=name, fields=(*SPATIAL, *window), build=build)


def build_top_k(values: Values) -> GraphBuilder:
    """The k largest of each row."""
    net = graph("topk")
    x = matrix(net, values)
    k = values["k"]
    if k > x.shape[1]:
        raise ValueError(f"k is {k} but there are only {counted(x.shape[1], 'column')}")
    values_and_places = net.ops("TopK", [x, net.constant([k])], [(x.shape[0], k)] * 2, axis=1)
    net.output(values_and_places[0])
    return net


FAMILIES = (
    Family(
        name="pool",
        fields=(
            Choice(name="op", values=("max", "average", "global_max", "global_average"), default="max"),
            *SPATIAL,
            Choice(name="kernel", values=(2, 3, 5, 7, 9, 13), default=3, weights=(4, 4, 1, 1, 1, 1)),
            Choice(name="stride", values=(1, 2, 3), default=2, weights=(2, 4, 1)),
        ),
        build=build_pool,
        weight=2.5,
    ),
    Family(
        name="reduce",
        fields=(
            Choice(name="op", values=("ReduceSum", *ATTRIBUTE_AXES, "ArgMax"), default="ReduceMean"),
            integer("outer", 1024, 1),
            integer("middle", 2048, 64),
            integer("inner", 16384, 784),
            Choice(name="axes", values=tuple(AXES), default="last", weights=(3, 2, 1, 2)),
        ),
        build=build_reduce,
        weight=2.0,
    ),
    Family(
        name="softmax",
        fields=(
            Choice(name="op", values=("Softmax", "LogSoftmax"), default="Softmax", weights=(5, 1)),
            ROWS,
            COLUMNS,
            Choice(name="over", values=("columns", "rows"), default="columns", weights=(6, 1)),
        ),
        build=build_softmax,
        weight=2.0,
    ),
    Family(
        name="layernorm",
        fields=(ROWS, COLUMNS, Choice(name="form", values=("operator", "parts", "rms"), default="operator")),
        build=build_layer_norm,
        weight=2.0,
    ),
    image_norm_family("batchnorm"),
    image_norm_family("instancenorm"),
    image_norm_family("lrn"),
    Family(
        name="topk",
        fields=(ROWS, COLUMNS, Choice(name="k", values=(1, 5, 10, 100, 1000), default=5)),
        build=build_top_k,
        weight=0.5,
    ),
)
