"""Times the way from ONNX bytes to a forecast, beside shape inference by onnx on the same bytes.

    python -m benchmarks.graph_loading [--predictor NAME] [--rounds N] [MODEL.onnx ...]

Every step is timed in every round, one after the other, and figures are medians over the rounds: a machine that changes
its speed changes all of them alike. Every round has models that no cache holds: the built-in networks in another
resolution or length, so that all their shapes are new, and files with another activation at their end.
The worker process that reads them has started and read other models. Shape inference is
`onnx.shape_inference.infer_shapes(bytes)`, which parses the bytes, infers, and parses what it inferred.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `latcast` does

import onnx
from onnx import ModelProto, helper, shape_inference

from latcast.schema import Target
from predictors.base import Predictor, Query
from predictors.features.kernels import kernel_table
from predictors.onnx_forecaster import ModelForecaster
from predictors.registry import pretrained, pretrained_names
from profilers.onnx_graph import GraphLoader, load_graph
from profilers.search_spaces import get_space
from profilers.search_spaces.builder import GraphBuilder, Tensor

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
COLUMNS = ("shape inference", "load_graph", "loader", "kernels", "predict", "first time", "cached")
TRANSFORMER = (
    "text_transformer/vocabulary=5403,length={length},features=384,depth=9,head_size=64,ratio=4,placement=pre,"
    "normalisation=layer,positions=learned,mask=none,projection=separate,feed_forward=plain,activation=gelu,"
    "output=tokens,batch=1,opset=15,constants=node,shapes=static,linear=gemm,pooling=operator,composites=operator"
)
STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
"""ResNet-50's blocks, width and stride of each stage (He et al., 2016, table 1)."""


def main() -> None:
    """Time all networks and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL.onnx", help="besides the built-in networks")
    parser.add_argument(
        "--predictor", default="universal-graphs", choices=pretrained_names(), help="[universal-graphs]"
    )
    parser.add_argument("--rounds", type=int, default=15, help="[15]")
    arguments = parser.parse_args()
    predictor = pretrained(arguments.predictor)
    target = Target(device="any", backend="onnxruntime", backend_version="1", precision="fp32", threads=1, options={})
    print(f"{'ms, and multiples of shape inference':38}" + "".join(f"{name:>18}" for name in COLUMNS))
    with GraphLoader() as loader:
        timer = Timer(predictor, target, loader)
        timer.round(variants(LIGHT / "light_squeezenet.onnx"), 0)
        for name, make in networks(arguments.models):
            rounds = [timer.round(make, index) for index in range(arguments.rounds)]
            print(f"{name:38}" + figures([statistics.median(column) for column in zip(*rounds, strict=True)]))


def figures(medians: Sequence[float]) -> str:
    """A line of the table: milliseconds, and multiples of the first column."""
    base, *others = medians
    return f"{base:18.3f}" + "".join(f"{value:10.3f} {value / base:6.2f}×" for value in others)


class Timer:
    """Times the way from a model to its forecast, as a whole and in parts."""

    def __init__(self, predictor: Predictor, target: Target, loader: GraphLoader) -> None:
        self._predictor, self._target, self._loader = predictor, target, loader
        self._forecaster = ModelForecaster(predictor, target, loader)

    def round(self, make: Callable[[int], bytes], index: int) -> list[float]:
        """Milliseconds of each of `COLUMNS`, for variants of the model that no cache holds."""
        whole, parts, here = (make(3 * index + part) for part in range(3))
        base = milliseconds(lambda: shape_inference.infer_shapes(whole))
        first = milliseconds(lambda: self._forecaster.forecast(whole))
        again = bytes(memoryview(whole))  # another object with the same bytes, as of a second request
        cached = milliseconds(lambda: self._forecaster.forecast(again))
        return [base, milliseconds(lambda: load_graph(here)), *self._parts(parts), first, cached]

    def _parts(self, model: bytes) -> Iterator[float]:
        """Milliseconds of the steps to a forecast: to a graph through the worker, to kernels, to latency."""
        yield milliseconds(lambda: self._loader.load(model))
        graph = self._loader.load(model)
        yield milliseconds(lambda: kernel_table(graph))
        yield milliseconds(lambda: self._predictor.predict([Query(target=self._target, graph=graph)]))


def milliseconds(action: Callable[[], object]) -> float:
    """The duration of an action in ms."""
    start = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - start)


def networks(files: Sequence[Path]) -> Iterator[tuple[str, Callable[[int], bytes]]]:
    """The name of each network, with the function that makes its variants."""
    zoo = get_space("zoo")
    yield "ResNet-50, batch normalisation apart", lambda index: resnet(160 + 32 * index, folded=False)
    yield "ResNet-50, batch normalisation folded", lambda index: resnet(160 + 32 * index, folded=True)
    yield "light_resnet50.onnx", variants(LIGHT / "light_resnet50.onnx")
    yield "transformer", lambda index: zoo.to_onnx(zoo.parse(TRANSFORMER.format(length=16 + index)))
    yield "3,000 nodes", lambda index: chain(16 + index, 1000)
    for path in files:
        yield path.name, variants(path)


def variants(path: Path) -> Callable[[int], bytes]:
    """A function that adds an activation, each time of another slope, to the first output of a file's network."""

    def variant(index: int) -> bytes:
        model = ModelProto.FromString(path.read_bytes())
        output = model.graph.output[0]
        name = f"{output.name}_variant"
        model.graph.node.append(helper.make_node("LeakyRelu", [output.name], [name], alpha=1 / (1 + index)))
        model.graph.output.append(helper.make_tensor_value_info(name, output.type.tensor_type.elem_type, None))
        return bytes(model.SerializeToString())

    return variant


def resnet(side: int, *, folded: bool) -> bytes:
    """ResNet-50 as PyTorch exports it, for images of that side (a multiple of 32), without its weights' values."""
    builder = GraphBuilder("resnet50")
    x = _convolution(builder, builder.input("input", (1, 3, side, side)), 64, 7, 2, folded=folded)
    x = builder.op("Relu", [x])
    x = builder.op(
        "MaxPool", [x], (1, 64, side // 4, side // 4), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=0
    )
    for blocks, width, stride in STAGES:
        for index in range(blocks):
            x = _bottleneck(builder, x, width, stride if index == 0 else 1, first=index == 0, folded=folded)
    x = builder.op("GlobalAveragePool", [x], (1, x.channels, 1, 1))
    x = builder.op("Flatten", [x], (1, x.channels), axis=1)
    weights = [builder.weight(1000, x.shape[1]), builder.weight(1000)]
    builder.output(builder.op("Gemm", [x, *weights], (1, 1000), alpha=1.0, beta=1.0, transB=1))
    return builder.to_bytes()


def _bottleneck(builder: GraphBuilder, x: Tensor, width: int, stride: int, *, first: bool, folded: bool) -> Tensor:
    y = builder.op("Relu", [_convolution(builder, x, width, 1, 1, folded=folded)])
    y = builder.op("Relu", [_convolution(builder, y, width, 3, stride, folded=folded)])
    y = _convolution(builder, y, 4 * width, 1, 1, folded=folded)
    shortcut = _convolution(builder, x, 4 * width, 1, stride, folded=folded) if first else x
    return builder.op("Relu", [builder.op("Add", [y, shortcut])])


def _convolution(builder: GraphBuilder, x: Tensor, channels: int, window: int, stride: int, *, folded: bool) -> Tensor:
    inputs = [x, builder.weight(channels, x.channels, window, window)]
    side = (x.shape[2] + 2 * (window // 2) - window) // stride + 1
    if folded:
        inputs.append(builder.weight(channels))
    y = builder.op("Conv", inputs, (1, channels, side, side), kernel_shape=[window] * 2, strides=[stride] * 2,
                   pads=[window // 2] * 4, dilations=[1, 1], group=1)  # fmt: skip
    if folded:
        return y
    norm = [builder.weight(channels, role="scale"), builder.weight(channels), builder.weight(channels)]
    norm.append(builder.weight(channels, role="positive"))
    return builder.op("BatchNormalization", [y, *norm], epsilon=1e-5, momentum=0.9, training_mode=0)


def chain(side: int, blocks: int) -> bytes:
    """A network of residual blocks of three nodes each, whose windows differ."""
    builder = GraphBuilder("chain")
    x = builder.input("input", (1, 16, side, side))
    for index in range(blocks):
        y = _convolution(builder, x, 16, 1 + 2 * (index % 3), 1, folded=True)
        x = builder.op("Add", [builder.op("Relu", [y]), x])
    builder.output(x)
    return builder.to_bytes()


if __name__ == "__main__":
    main()
