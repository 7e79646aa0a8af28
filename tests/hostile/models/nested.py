"""Files with functions and bodies, in each other and without end."""

import numpy as np
from onnx import helper, numpy_helper

from tests.hostile.models.corpus import Made, hostile
from tests.hostile.models.parts import branches, calls, function, looped, model, relu, repeated


@hostile()
def functions_that_double_to_2_14() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 13 else "Relu") for at in range(14)], "f0")


@hostile(grows_mib=250.0)
def functions_that_double_to_2_16() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 15 else "Relu") for at in range(16)], "f0")


@hostile("limit nodes = 100,000")
def functions_that_grow_to_10_15() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 14 else "Relu", 10) for at in range(15)], "f0")


@hostile("limit depth = 16")
def functions_that_double_to_2_60() -> Made:
    return calls([repeated(f"f{at}", f"f{at + 1}" if at < 59 else "Relu") for at in range(60)], "f0")


@hostile("calls itself")
def function_that_calls_itself() -> Made:
    return calls([repeated("f0", "f0")], "f0")


@hostile("calls itself")
def functions_that_call_each_other() -> Made:
    return calls([repeated("f0", "f1"), repeated("f1", "f0")], "f0")


@hostile("limit depth = 16")
def functions_too_deep() -> Made:
    inner = [function(f"f{at}", [helper.make_node(f"f{at + 1}", ["a"], ["b"], domain="local")]) for at in range(40)]
    return calls([*inner, function("f40", [relu("a", "b")])], "f0")


@hostile()
def loop_with_a_large_body() -> Made:
    return looped([relu(f"b{at}" if at else "v", f"b{at + 1}") for at in range(10_000)], "b10000", trips=3)


@hostile()
def loop_without_end() -> Made:
    return looped([relu("v", "b")], "b", trips=2**62)


@hostile()
def loop_of_minus_one() -> Made:
    return looped([relu("v", "b")], "b", trips=-1)


@hostile("limit depth = 16")
def branches_too_deep() -> Made:
    node = relu(made="deep")
    for level in range(20):
        node = branches(node, "y" if level == 19 else f"m{level}", level)
    return model([node], constants=[numpy_helper.from_array(np.array(True), "c")])


@hostile("do not parse")
def branches_deeper_than_the_parser() -> Made:
    inner = b"\x0a\x00"
    for _ in range(300):
        inner = tagged(1, tagged(5, tagged(6, inner)))  # graph.node.attribute.g
    return tagged(7, inner) + bytes(model([relu()]).SerializeToString())


def tagged(field: int, content: bytes) -> bytes:
    """A field of protocol buffers that holds bytes."""
    return bytes([field << 3 | 2]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])
