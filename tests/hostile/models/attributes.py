"""Files whose attributes contradict their nodes, or mean nothing."""

import numpy as np
from onnx import AttributeProto, helper, numpy_helper

from tests.hostile.models.corpus import Made, hostile
from tests.hostile.models.parts import ints, single

X4, W4 = (1, 4, 8, 8), (4, 4, 3, 3)


@hostile("group")
def convolution_of_no_groups() -> Made:
    return single("Conv", X4, W4, group=0)


@hostile("group")
def convolution_of_minus_three_groups() -> Made:
    return single("Conv", X4, W4, group=-3)


@hostile("group")
def transposed_convolution_of_no_groups() -> Made:
    return single("ConvTranspose", X4, W4, group=0)


@hostile("at least 3 dimensions")
def transposed_convolution_of_a_scalar() -> Made:
    return single("ConvTranspose", (), W4)


@hostile("strides must only contain positive")
def strides_of_zero() -> Made:
    return single("Conv", X4, W4, strides=[0, 0])


@hostile("strides must only contain positive")
def strides_below_zero() -> Made:
    return single("MaxPool", X4, kernel_shape=[2, 2], strides=[-1, -(2**63)])


@hostile("nothing would be left")
def kernel_of_2_40() -> Made:
    return single("AveragePool", X4, kernel_shape=[2**40, 2**40])


@hostile("overflow")
def dilations_of_2_62() -> Made:
    return single("Conv", X4, W4, dilations=[2**62, 2**62])


@hostile("takes all that it writes")
def pads_that_leave_nothing() -> Made:
    return single("ConvTranspose", X4, W4, pads=[100] * 4)


@hostile("nothing would be left|must not be negative|pads")
def pads_of_minus_100() -> Made:
    return single("Conv", X4, W4, pads=[-100] * 4)


@hostile("alone")
def windows_of_padding_alone() -> Made:
    return single("MaxPool", X4, kernel_shape=[2, 2], pads=[100] * 4)


@hostile("its delta is 0")
def range_by_nothing() -> Made:
    made = single("Relu", (2, 4))
    made.graph.node.append(helper.make_node("Range", ["r0", "r1", "r2"], ["r"]))
    made.graph.initializer.extend(
        numpy_helper.from_array(np.int64(value), f"r{at}") for at, value in enumerate((0, 10, 0))
    )
    return made


@hostile("takes 100 elements away")
def padding_that_takes_all() -> Made:
    return single("Pad", (2, 4), ints(-100, 0, 0, 0))


@hostile("has to be NOTSET or SAME_UPPER")
def padding_that_nobody_knows() -> Made:
    return single("Conv", X4, W4, auto_pad="\x1b[2J")


@hostile("targets is -1")
def regression_of_minus_one_targets() -> Made:
    return single("LinearRegressor", (2, 4), domain="ai.onnx.ml", coefficients=[1.0] * 4, targets=-1)


@hostile("limit tensor_bytes")
def pads_of_2_62() -> Made:
    return single("Conv", X4, W4, pads=[2**62] * 4)


@hostile("block_size is -2, and has to be a power of two")
def blocks_below_zero() -> Made:
    return single("MatMulNBits", (2, 32), np.zeros((8, 1, 16), np.uint8), (8,), domain="com.microsoft", K=32, N=8,
                  bits=4, block_size=-2)  # fmt: skip


@hostile()
def recurrence_with_two_inputs() -> Made:
    return single(
        "DynamicQuantizeLSTM", (4, 1, 8), np.zeros((1, 8, 32), np.int8), domain="com.microsoft", hidden_size=8
    )


@hostile("crashed the process")
def layer_norm_over_axis_2_31() -> Made:
    return single("LayerNormalization", (2, 4), (4,), outputs=3, axis=2**31)


@hostile("crashed the process")
def split_into_one_of_three() -> Made:
    return single("Split", (6, 4), outputs=3, opset=18, num_outputs=1)


@hostile("its axis is 46116860184")
def softmax_over_axis_2_62() -> Made:
    return single("Softmax", (2, 4), axis=2**62)


@hostile("repeated value")
def transpose_of_one_axis_twice() -> Made:
    return single("Transpose", (2, 4), perm=[0, 0])


@hostile("its axis is 9223372036854775807")
def concat_along_2_63() -> Made:
    return single("Concat", (2, 4), (2, 4), axis=2**63 - 1)


@hostile("its axis is -9223372036854775808")
def gather_along_minus_2_63() -> Made:
    return single("Gather", (2, 4), ints(0), axis=-(2**63))


@hostile("valid type")
def cast_to_type_9999() -> Made:
    return single("Cast", (2, 4), to=9999)


@hostile("its k is -2")
def top_of_minus_two() -> Made:
    return single("TopK", (2, 4), ints(-2), outputs=2)


@hostile()
def slope_that_is_no_number() -> Made:
    return single("LeakyRelu", (2, 4), alpha=float("nan"))


@hostile()
def slope_without_bounds() -> Made:
    return single("Elu", (2, 4), alpha=float("inf"))


@hostile("its sizes are")
def resize_to_less_than_nothing() -> Made:
    return single("Resize", X4, (0,), (0,), ints(1, 4, -8, -8))


@hostile("its scales are")
def resize_by_what_is_no_number() -> Made:
    return single("Resize", X4, (0,), np.array([1, 1, np.nan, np.inf], np.float32))


@hostile("limit tensor_bytes")
def padding_of_2_60() -> Made:
    return single("Pad", (2, 4), ints(2**60, 0, 2**60, 0))


@hostile("num_heads is 0")
def grouped_query_attention_of_nothing() -> Made:
    return single("GroupQueryAttention", (1, 1, 8), domain="com.microsoft", outputs=3, num_heads=0, kv_num_heads=0)


@hostile("num_heads is -1")
def heads_below_zero() -> Made:
    return single("MultiHeadAttention", (1, 4, 8), (1, 4, 8), (1, 4, 8), domain="com.microsoft", num_heads=-1)


@hostile("An Einsum node does not fit")
def einsum_of_nonsense() -> Made:
    return single("Einsum", (2, 4), equation="->->" * 500)


@hostile("twice")
def attribute_twice() -> Made:
    made = single("Softmax", (2, 4), axis=1)
    made.graph.node[0].attribute.append(helper.make_attribute("axis", 0))
    return made


@hostile("without a value")
def attribute_without_type() -> Made:
    made = single("Softmax", (2, 4))
    made.graph.node[0].attribute.append(AttributeProto(name="axis"))
    return made


@hostile("its attribute mode is")
def attribute_that_is_not_utf_8() -> Made:
    return single("Upsample", X4, np.ones(4, np.float32), opset=9, mode=b"\xff\xfe\x1b[31m")


@hostile("limit attributes = 128")
def too_many_attributes() -> Made:
    return single("Relu", (2, 4), **{f"a{at}": 1 for at in range(129)})


@hostile("limit attribute_bytes")
def attribute_of_two_megabytes() -> Made:
    return single("Relu", (2, 4), name=b"a" * 2**21)


@hostile("n_targets is -1")
def tree_ensemble_that_contradicts_itself() -> Made:
    return single("TreeEnsembleRegressor", (4, 8), domain="ai.onnx.ml", nodes_treeids=[0] * 9, nodes_nodeids=[0],
                  nodes_featureids=[2**40], nodes_modes=["BRANCH_LEQ"], n_targets=-1)  # fmt: skip


@hostile()
def tree_ensemble_of_20_000_nodes() -> Made:
    size = 20_000
    return single(
        "TreeEnsembleRegressor", (4, 8), domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0] * size,
        nodes_nodeids=list(range(size)), nodes_featureids=[0] * size, nodes_values=[0.5] * size,
        nodes_modes=["LEAF"] * size, nodes_truenodeids=[0] * size, nodes_falsenodeids=[0] * size,
        target_treeids=[0], target_nodeids=[0], target_ids=[0], target_weights=[float("nan")],
    )  # fmt: skip
