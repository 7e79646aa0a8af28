"""The networks whose loading is timed are valid ONNX, and no two variants are one graph."""

import pytest

with pytest.MonkeyPatch.context() as patch:  # the script sets these for itself: other tests do without
    for name in ("ORT_DISABLE_TELEMETRY", "OPENBLAS_NUM_THREADS"):
        patch.setenv(name, "1")
    from benchmarks.graph_loading import COLUMNS, LIGHT, chain, figures, milliseconds, networks, resnet, variants

from profilers.onnx_graph import load_graph


@pytest.mark.parametrize("folded", [False, True])
def test_resnet_has_the_work_of_resnet_50(folded: bool) -> None:
    graph = load_graph(resnet(224, folded=folded))
    assert graph.macs == pytest.approx(4.1e9, rel=0.02)
    assert sum(node.operator == "Conv" for node in graph.nodes) == 53
    assert any(node.operator == "BatchNormalization" for node in graph.nodes) is not folded


def test_chains_have_three_nodes_a_block() -> None:
    assert len(load_graph(chain(16, 10)).nodes) == 30


def test_variants_of_a_file_are_different_graphs() -> None:
    make = variants(LIGHT / "light_squeezenet.onnx")
    graphs = [load_graph(make(index)) for index in range(2)]
    assert graphs[0].hash != graphs[1].hash
    added = [next(node for node in graph.nodes if node.operator == "LeakyRelu") for graph in graphs]
    assert [node.attributes["alpha"] for node in added] == [1.0, 0.5]
    assert all(graph.nodes[-1].operator == "LeakyRelu" for graph in graphs)


def test_every_network_has_a_name_of_its_own() -> None:
    names = [name for name, _ in networks([LIGHT / "light_squeezenet.onnx"])]
    assert len(set(names)) == len(names)
    assert "light_squeezenet.onnx" in names


def test_a_line_has_milliseconds_and_multiples_of_the_first() -> None:
    line = figures([2.0, *[4.0] * (len(COLUMNS) - 1)])
    assert line.split()[:3] == ["2.000", "4.000", "2.00×"]
    assert len(line.split()) == 1 + 2 * (len(COLUMNS) - 1)
    assert milliseconds(lambda: None) >= 0
