"""Files that are none of ONNX, or only almost."""

import gzip

from onnx import ModelProto, helper

from tests.hostile.models.corpus import Made, hostile
from tests.hostile.models.parts import model, relu

VALID = bytes(model([relu()]).SerializeToString())


@hostile("is empty|Field required")
def empty() -> Made:
    return b""


@hostile("not an ONNX model")
def zeros() -> Made:
    return bytes(1000)


@hostile("not an ONNX model")
def junk() -> Made:
    return b"not a model at all"


@hostile("not an ONNX model")
def truncated() -> Made:
    return VALID[: len(VALID) // 2]


@hostile("packed with gzip|not an ONNX model")
def compressed() -> Made:
    return gzip.compress(VALID, mtime=0)


@hostile("not an ONNX model")
def a_length_of_2_63() -> Made:
    return b"\x3a" + b"\xff" * 9 + b"\x01"


@hostile("no graph")
def no_graph() -> Made:
    return ModelProto(ir_version=9, opset_import=[helper.make_opsetid("", 17)])


@hostile("opset_import")
def no_opset() -> Made:
    made = model([relu()])
    del made.opset_import[:]
    return made


@hostile("version -1")
def opset_of_minus_one() -> Made:
    return model([relu()], opset=-1)


@hostile(r"evil\.org")
def foreign_domain() -> Made:
    return model([helper.make_node("Do", ["x"], ["y"], domain="evil.org")], domains=["evil.org"])


@hostile("control characters|Unsupported operators")
def domain_that_moves_the_cursor() -> Made:
    return model([helper.make_node("Do\n", ["x"], ["y"], domain="\x1b]0;pwned\x07")])


@hostile("control characters")
def name_that_moves_the_cursor() -> Made:
    return model([relu(name="a\x1b[31m")])


@hostile("limit name_bytes")
def name_of_a_megabyte() -> Made:
    return model([relu(made="y" * 2**20), relu()])


@hostile("two tensors")
def two_tensors_of_one_name() -> Made:
    return model([relu(), relu()])


@hostile("cycle")
def cycle() -> Made:
    return model([helper.make_node("Add", ["x", "b"], ["a"]), relu("a", "b"), relu("b")])


@hostile("'nowhere'")
def reads_from_nowhere() -> Made:
    return model([relu("nowhere")])


@hostile("'nowhere'")
def gives_from_nowhere() -> Made:
    return model([relu()], outputs=["nowhere"])
