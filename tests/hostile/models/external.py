"""Files that name data in other files."""

from onnx import SparseTensorProto, helper, numpy_helper

from tests.hostile.models.corpus import Made, hostile
from tests.hostile.models.parts import external, ints, looped, model, relu


@hostile("another file")
def external_initializer() -> Made:
    return model([relu()], constants=[external()])


@hostile("another file")
def external_parent() -> Made:
    return model([relu()], constants=[external(location="../../../../etc/shadow")])


@hostile("another file")
def external_attribute() -> Made:
    return model([helper.make_node("Constant", [], ["w"], value=external()), relu()])


@hostile("another file")
def external_sparse() -> Made:
    made = model([relu()])
    indices = numpy_helper.from_array(ints(0, 1, 2), "")
    made.graph.sparse_initializer.append(SparseTensorProto(values=external(), indices=indices, dims=[9]))
    return made


@hostile("another file")
def external_in_a_body() -> Made:
    made = looped([relu("v", "b")], "b", trips=1)
    made.graph.node[0].attribute[0].g.initializer.append(external())
    return made
