"""Files of many nodes, edges or inputs."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.hostile.models.corpus import Made, hostile
from tests.hostile.models.parts import F, info, ints, model, relu


def chain(size: int) -> ModelProto:
    return model([relu(f"t{at}" if at else "x", f"t{at + 1}") for at in range(size)], outputs=[f"t{size}"])


@hostile()
def chain_of_20_000() -> Made:
    return chain(20_000)


@hostile(slow=True, grows_mib=250.0)
def chain_of_100_000() -> Made:
    return chain(100_000)


@hostile(r"limit nodes = 100,000")
def chain_over_the_limit() -> Made:
    return chain(100_001)


@hostile()
def fan_of_8_000() -> Made:
    nodes = [helper.make_node("LeakyRelu", ["x"], [f"t{at}"], alpha=at / 8000) for at in range(8000)]
    return model(nodes, outputs=["t0"])


@hostile()
def fan_of_the_same() -> Made:
    return model([relu("x", f"t{at}") for at in range(8000)], outputs=["t0", "t7999"])


@hostile()
def fan_of_products() -> Made:
    gate = helper.make_node("Sigmoid", ["x"], ["s"])
    products = [helper.make_node("Mul", ["x", "s"] if at % 2 else ["s", "x"], [f"t{at}"]) for at in range(8000)]
    return model([gate, *products], outputs=["t0"])


@hostile()
def shared_constant() -> Made:
    nodes = [helper.make_node("Mul", [f"t{at}" if at else "x", "k"], [f"t{at + 1}"]) for at in range(8000)]
    return model(nodes, outputs=["t8000"], constants=[numpy_helper.from_array(np.float32(2), "k")])


@hostile()
def slices_of_one_tensor() -> Made:
    constants, nodes = [numpy_helper.from_array(ints(1), "axis")], []
    for at in range(4000):
        constants += [numpy_helper.from_array(ints(at), f"a{at}"), numpy_helper.from_array(ints(at + 3), f"b{at}")]
        nodes.append(helper.make_node("Slice", ["x", f"a{at}", f"b{at}", "axis"], [f"t{at}"]))
    return model(nodes, shape=(2, 20_000), outputs=["t0"], constants=constants)


@hostile()
def many_edges() -> Made:
    nodes = [helper.make_node("Sum", [f"t{at}" if at else "x", *["x"] * 3999], [f"t{at + 1}"]) for at in range(60)]
    return model(nodes, outputs=["t60"])


@hostile("limit node_inputs = 4,096")
def too_many_inputs_of_a_node() -> Made:
    return model([helper.make_node("Sum", ["x"] * 4097, ["y"])])


@hostile("limit graph_inputs = 4,096")
def too_many_inputs_of_the_graph() -> Made:
    made = model([relu()])
    made.graph.input.extend(info(f"x{at}") for at in range(4096))
    return made


@hostile("limit initializers = 100,000")
def too_many_initializers() -> Made:
    return model([relu()], constants=[TensorProto(name=f"w{at}", data_type=F) for at in range(100_001)])


@hostile()
def value_infos_for_nobody() -> Made:
    made = model([relu()])
    made.graph.value_info.extend(info(f"v{at}") for at in range(100_000))
    return made
