"""Reference networks: ten, of ten families, quick, and the same for ever."""

from hashlib import sha256

from profilers.onnx_graph import load_graph
from profilers.search_spaces.zoo import Zoo
from profilers.search_spaces.zoo.references import reference_networks


def test_ten_quick_networks_of_ten_families_are_built() -> None:
    zoo, networks = Zoo(), reference_networks()
    assert len({one.text.partition("/")[0] for one in networks}) == len(networks) == 10
    assert all(zoo.parse(one.text) == one for one in networks), "texts are in normal form"
    assert all(zoo.macs(one) < 6e8 for one in networks)
    operators = {node.operator for one in networks for node in load_graph(zoo.to_onnx(one)).nodes}
    assert {"Conv", "MatMul", "Gemm", "LSTM", "Softmax", "MaxPool", "ConvTranspose", "Gather", "Concat"} <= operators


def test_trained_predictors_keep_their_texts_so_they_stay() -> None:
    together = "\n".join(one.text for one in reference_networks())
    assert sha256(together.encode()).hexdigest()[:16] == "55cfbe7a6bc60098"
