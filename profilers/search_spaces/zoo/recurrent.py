"""Recurrent networks over features, tokens or the columns of an image: speech, text, OCR (Shi et al., CRNN, 2017)."""

from profilers.search_spaces.builder import GraphBuilder, Tensor
from profilers.search_spaces.families import Family, Values
from profilers.search_spaces.fields import Choice, Integer
from profilers.search_spaces.layers import conv_norm, linear, max_pool, reshape, transpose
from profilers.search_spaces.sequences import embedding, recurrent, slice_axis, softmax, squeeze
from profilers.search_spaces.zoo.common import NORM_STYLE, STYLE, network, yes_no

__all__ = ["FAMILY"]

IMAGE_HEIGHT = 32
OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


def build(values: Values) -> GraphBuilder:
    """Front end to (length, batch, features), recurrent layers, one output for the sequence or for each step."""
    net = network("recurrent", values)
    x = _front(net, values)
    for _ in range(values["layers"]):
        operator, both = OPERATORS[values["cell"]], values["bidirectional"] == "yes"
        x = recurrent(net, x, operator, values["hidden"], bidirectional=both)
    if values["output"] == "last":
        x = squeeze(net, slice_axis(net, x, x.shape[0] - 1, x.shape[0], axis=0), 0)
    y = linear(net, x, values["classes"])
    net.output(softmax(net, y) if values["softmax"] == "yes" else y)
    return net


def _front(net: GraphBuilder, values: Values) -> Tensor:
    batch, length, features = values["batch"], values["length"], values["features"]
    if values["input"] == "features":
        return transpose(net, net.input("features", (batch, length, features)), (1, 0, 2))
    if values["input"] == "tokens":
        ids = net.input("input_ids", (batch, length), dtype="int64")
        return transpose(net, embedding(net, ids, values["vocabulary"], features), (1, 0, 2))
    return _columns(net, net.input("image", (batch, 1, IMAGE_HEIGHT, 4 * length)), features)


def _columns(net: GraphBuilder, x: Tensor, features: int) -> Tensor:
    """A text line of 32 rows to one vector for every four columns."""
    for stage, kernel in enumerate(((2, 2), (2, 2), (2, 1), (2, 1))):
        x = conv_norm(net, x, max(16, features * 2**stage // 8), 3, "relu")
        x = max_pool(net, x, kernel, kernel)
    batch, channels, height, length = x.shape
    return reshape(net, transpose(net, x, (3, 0, 1, 2)), (length, batch, channels * height))


FAMILY = Family(
    name="recurrent",
    fields=(
        Choice(name="cell", values=("lstm", "gru", "rnn"), default="lstm", weights=(3, 2, 0.5)),
        Choice(name="input", values=("features", "tokens", "image"), default="features"),
        Integer(name="length", low=4, high=256, default=64),
        Integer(name="features", low=16, high=512, default=64, multiple=8),
        Integer(name="vocabulary", low=100, high=50000, default=10000),
        Integer(name="hidden", low=16, high=512, default=128, multiple=8),
        Integer(name="layers", low=1, high=4, default=1),
        yes_no("bidirectional"),
        Choice(name="output", values=("last", "steps"), default="last"),
        yes_no("softmax", yes=0.5),
        Integer(name="classes", low=2, high=6000, default=100),
        Choice(name="batch", values=(1, 2, 4, 8, 16, 32, 64, 128), default=1, weights=(10, 1, 1, 1, 1, 1, 1, 1)),
        NORM_STYLE,
        *STYLE,
    ),
    build=build,
    weight=1.5,
)
