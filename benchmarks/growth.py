"""Seconds from an ONNX file to its forecast by the number of nodes, with the memory of whoever does what.

    .venv/bin/python benchmarks/growth.py [--largest 64000]

Graphs of several shapes double from 1,000 nodes. Each is read, and its kernels are foreseen, in a limited process as
the service does; the forecast is made here. `µs/node` shows whether all of it is linear: it stays where it is. The test
`tests/predictors/features/kernels/test_growth.py` counts operations instead, and bounds their exponent.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from onnx import TensorProto, helper

from latcast.schema import LatcastError, Target
from predictors.foreign.features import MODEL, SUMMARY, features_for
from predictors.foreign.reader import ForeignQuery, ForeignReader
from predictors.registry import pretrained
from profilers.onnx_graph.isolated.pool import ForeignModel

SMALLEST = 1000
MIB = 2**20
TARGET = Target(device="bench", backend="onnxruntime", backend_version="1")


def chain(size: int) -> bytes:
    """One product after the other."""
    return model([("Mul", [f"t{i}" if i else "x", "y"], f"t{i + 1}") for i in range(size)])


def fan(size: int) -> bytes:
    """Nodes that all read one tensor."""
    return model([("Mul", ["x", f"c{i}"], f"t{i}") for i in range(size)], constants=size)


def products(size: int) -> bytes:
    """A matrix product and an activation in turn."""
    kinds = [("MatMul", ["w"]), ("Sigmoid", [])]
    steps = [kinds[i % 2] for i in range(size)]
    return model([(kind, [f"t{i}" if i else "x", *also], f"t{i + 1}") for i, (kind, also) in enumerate(steps)])


SHAPES: dict[str, Callable[[int], bytes]] = {"chain": chain, "fan": fan, "products": products}


def model(nodes: list[tuple[str, list[str], str]], *, constants: int = 0) -> bytes:
    """The file of a graph of these (operator, inputs, output)."""
    tensors = [helper.make_tensor("w", TensorProto.FLOAT, [8, 8], [0.1] * 64)]
    tensors += [helper.make_tensor(f"c{i}", TensorProto.FLOAT, [], [i / 7]) for i in range(constants)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, 8]) for name in "xy"]
    outputs = [helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)]
    made = [helper.make_node(operator, read, [written]) for operator, read, written in nodes]
    graph = helper.make_graph(made, "growth", inputs, outputs, tensors)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(proto.SerializeToString())


def rows(largest: int) -> Iterator[str]:
    """A line for each shape and size."""
    predictor = pretrained("universal-graphs")
    wanted = [*features_for(predictor.fitted_capabilities().features, TARGET), SUMMARY, MODEL]
    with ForeignReader(workers=1, timeout_s=120.0) as reader:
        reader.read(ForeignModel(content=chain(10)), wanted)
        for name, shape in SHAPES.items():
            size = SMALLEST
            while size <= largest:
                content = shape(size)
                started = time.perf_counter()
                try:
                    network = reader.read(ForeignModel(content=content), wanted)
                    read = time.perf_counter()
                    predictor.predict([ForeignQuery(target=TARGET, network=network)])
                except LatcastError as error:
                    yield f"{name:9} {size:7,}  {error}"
                    break
                done = time.perf_counter()
                per_node = (done - started) / size * 1e6
                yield (
                    f"{name:9} {size:7,} {len(content) / MIB:7.2f} {read - started:8.2f} {done - read:9.2f} "
                    f"{per_node:9.1f} {peak_mib():9.0f}"
                )
                size *= 2


def peak_mib() -> float:
    """Most memory that this process has had; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--largest", type=int, default=64_000, help="nodes of the largest graph")
    arguments = parser.parse_args()
    print(f"{'shape':9} {'nodes':>7} {'MiB':>7} {'read s':>8} {'predict s':>9} {'µs/node':>9} {'peak MiB':>9}")
    for row in rows(arguments.largest):
        print(row, flush=True)


if __name__ == "__main__":
    main()
