"""Values of a graph under construction."""

from profilers.search_spaces.recorded import Recorded, Tensor


def test_a_tensor_counts_its_elements() -> None:
    tensor = Tensor("x", (2, 3, 4))
    assert (tensor.channels, tensor.elements, tensor.dtype) == (3, 24, "float32")
    assert Tensor("scalar", ()).elements == 1


def test_a_recorded_graph_is_plain() -> None:
    graph = Recorded("g", 17, [], [Tensor("x", (1,))], [], [], [])
    assert graph.inputs[0] == Tensor("x", (1,))
    assert graph._replace(name="h").name == "h"
