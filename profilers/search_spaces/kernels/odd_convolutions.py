"""Convolutions with any channel counts, groups and windows, in one or two dimensions."""

from profilers.search_spaces.builder import GraphBuilder
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.kernels.common import AXES_OF_FORM, BATCH, FORM, graph, image, integer
from profilers.search_spaces.layers import activation, batch_norm, conv

__all__ = ["FAMILIES"]


def build_odd_conv(values: Values) -> GraphBuilder:
    """Convolutions with any channel counts, large or flat windows, any groups; in one or two dimensions."""
    net = graph("oddconv")
    groups = values["groups"]
    channels, out = values["in"] * groups, values["out"] * groups
    kernel: tuple[int, ...] = tuple(values["kernel"] if on else 1 for on in AXES_OF_FORM[values["form"]])
    if values["rank"] == 1:
        kernel = kernel[1:]
        x = net.input("x", (values["batch"], channels, min(values["size"] ** 2, 65536)))
    else:
        x = image(net, {**values, "aspect": 1}, channels)
    for index in range(values["chain"]):
        more = {"stride": values["stride"] if index == 0 else 1, "dilation": values["dilation"]}
        y = conv(net, x, out, kernel, groups=groups, bias=values["norm"] == "none", **more)
        x = activation(net, y if values["norm"] == "none" else batch_norm(net, y), values["activation"])
    net.output(x)
    return net


def build_odd_transpose(values: Values) -> GraphBuilder:
    """A transposed convolution in one or two dimensions, also in groups."""
    net = graph("oddtransposed")
    kernel, stride, groups, rank = values["kernel"], values["stride"], values["groups"], values["rank"]
    if kernel < stride:
        raise ValueError(f"a transposed convolution needs a kernel of at least its stride {stride}, not {kernel}")
    channels, out = values["in"] * groups, values["out"]
    sizes = (values["size"],) * rank if rank == 2 else (values["size"] ** 2,)
    x = net.input("x", (values["batch"], channels, *sizes))
    begin, total = (kernel - stride) // 2, kernel - stride
    y = net.op(
        "ConvTranspose",
        [x, net.weight(channels, out, *(kernel,) * rank)],
        (values["batch"], out * groups, *(size * stride for size in sizes)),
        macs=x.elements * out * kernel**rank,
        kernel_shape=(kernel,) * rank,
        strides=(stride,) * rank,
        pads=(begin,) * rank + (total - begin,) * rank,
        group=groups,
    )
    net.output(y)
    return net


RANK = Choice(name="rank", values=(1, 2), default=2, weights=(1, 2))
ACTIVATION = Choice(
    name="activation", values=("none", "relu", "sigmoid", "silu", "leakyrelu", "prelu", "elu", "gelu"), default="none",
    weights=(3, 3, 1, 1, 1, 1, 1, 1),
)  # fmt: skip

FAMILIES = (
    Family(
        name="oddconv",
        fields=(
            Integer(name="in", low=1, high=256, default=3),
            Integer(name="out", low=1, high=256, default=10),
            Choice(name="groups", values=(1, 2, 3, 4, 6, 8, 16, 40, 60, 116), default=1,
                   weights=(8, 2, 1, 2, 1, 2, 2, 1, 1, 1)),
            integer("size", 256, 32, favoured=4),
            BATCH,
            Choice(name="kernel", values=(1, 2, 3, 4, 5, 7, 9, 11, 15, 21, 31), default=3,
                   weights=(4, 1, 6, 1, 2, 2, 1, 1, 1, 1, 1)),
            FORM,
            Choice(name="stride", values=(1, 2, 3, 4, 8), default=1, weights=(5, 3, 1, 1, 1)),
            Choice(name="dilation", values=(1, 2, 3, 6), default=1, weights=(6, 1, 1, 1)),
            RANK,
            Choice(name="norm", values=("none", "batch"), default="none", weights=(3, 1)),
            ACTIVATION,
            Choice(name="chain", values=(1, 2, 3), default=1, weights=(2, 1, 1)),
        ),
        build=build_odd_conv,
        weight=5.0,
    ),
    Family(
        name="oddtransposed",
        fields=(
            Integer(name="in", low=1, high=512, default=32),
            Integer(name="out", low=1, high=256, default=16),
            Choice(name="groups", values=(1, 2, 4, 16), default=1, weights=(6, 1, 1, 1)),
            integer("size", 160, 32, favoured=4),
            BATCH,
            Choice(name="kernel", values=(2, 3, 4, 5, 8, 16), default=4),
            Choice(name="stride", values=(1, 2, 3, 4, 8), default=2, weights=(1, 5, 1, 1, 1)),
            RANK,
        ),
        build=build_odd_transpose,
        weight=1.5,
    ),
)  # fmt: skip
