"""Files whose tensors are larger than anything, or not what they say."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.hostile.models.corpus import Made, hostile
from tests.hostile.models.parts import F, ints, model, relu, single


@hostile("no size in")
def input_of_2_62() -> Made:
    return model([relu()], shape=(2**62, 4))


@hostile("no size in")
def input_of_less_than_nothing() -> Made:
    return model([relu()], shape=(-3, 4))


@hostile("not bound")
def input_of_any_size() -> Made:
    return model([relu()], shape=("batch", 4))


@hostile("limit rank")
def input_of_rank_100() -> Made:
    return model([relu()], shape=(1,) * 100)


@hostile("limit tensor_bytes")
def initializer_of_2_124() -> Made:
    return model([relu()], constants=[TensorProto(name="w", dims=[2**62, 2**62], data_type=F)])


@hostile("holds 4")
def initializer_that_lies() -> Made:
    return model([relu()], constants=[TensorProto(name="w", dims=[9], data_type=F, raw_data=b"1234")])


@hostile("limit tensor_bytes")
def constant_of_a_shape() -> Made:
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["b"]), relu()]
    return model(nodes, constants=[numpy_helper.from_array(ints(2**20, 2**20), "s")])


@hostile("limit tensor_bytes")
def expand_to_2_40() -> Made:
    return single("Expand", (1, 1), ints(2**20, 2**20))


@hostile("limit tensor_bytes")
def tile_to_2_40() -> Made:
    return single("Tile", (1, 1), ints(2**20, 2**20))


@hostile("limit tensor_bytes")
def range_to_2_40() -> Made:
    constants = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in
                 (("from", 0), ("to", 2**40), ("by", 1))]  # fmt: skip
    return model([helper.make_node("Range", ["from", "to", "by"], ["r"]), relu()], constants=constants)


@hostile(r"it has about 10\^602\d \(bytes")
def einsum_of_20_000_labels() -> Made:
    return single("Einsum", (2, 2), equation="ab->" + "ba" * 10_000)


@hostile("limit rank")
def einsum_of_20_000_labels_of_one() -> Made:
    return single("Einsum", (1, 1), equation="ab->" + "ba" * 10_000)


@hostile("limit constant_bytes")
def shape_that_doubles_40_times() -> Made:
    steps = [helper.make_node("Concat", [f"s{at}"] * 2, [f"s{at + 1}"], axis=0) for at in range(40)]
    shape = helper.make_node("Shape", ["x"], ["s0"])
    return model([shape, *steps, helper.make_node("ConstantOfShape", ["s40"], ["z"]), relu()])


@hostile()
def shape_that_squares_itself_80_times() -> Made:
    steps = [helper.make_node("Mul", [f"s{at}"] * 2, [f"s{at + 1}"]) for at in range(80)]
    return model([helper.make_node("Shape", ["x"], ["s0"]), *steps, helper.make_node("Reshape", ["x", "s80"], ["y"])])


@hostile("limit tensor_bytes")
def concat_that_doubles_60_times() -> Made:
    steps = [helper.make_node("Concat", [f"t{at}" if at else "x"] * 2, [f"t{at + 1}"], axis=0) for at in range(60)]
    return model(steps, outputs=["t60"])


@hostile()
def sequence_of_3000_steps() -> Made:
    steps = [helper.make_node("SequenceInsert", [f"s{at}", "x"], [f"s{at + 1}"]) for at in range(3000)]
    joined = helper.make_node("ConcatFromSequence", ["s3000"], ["y"], axis=0)
    return model([helper.make_node("SequenceEmpty", [], ["s0"]), *steps, joined])


@hostile("limit tensor_bytes")
def product_of_two_vectors() -> Made:
    return single("MatMul", (2**20, 1), (1, 2**20))


@hostile("segment")
def tensor_in_segments() -> Made:
    tensor = TensorProto(name="w", dims=[1], data_type=F, raw_data=bytes(4))
    tensor.segment.begin, tensor.segment.end = 0, 2**60
    return model([relu()], constants=[tensor])


@hostile("element type 99")
def tensor_of_type_99() -> Made:
    return model([relu()], constants=[TensorProto(name="w", dims=[1], data_type=99)])
