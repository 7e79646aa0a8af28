"""Facts of networks: their work and sizes, and the memory of processes that measured them on the target."""

import numpy as np
import pytest

from latcast.schema import Architecture, InputError
from predictors.foreign.features import SUMMARY
from profilers.onnx_graph.isolated.pool import ModelText
from profilers.search_spaces import get_space
from service.forecasting.facts import FACTS, NetworkFacts
from service.graphs.resolver import Item, Resolver
from tests.service.helpers import OTHER_TARGET, TARGET, DirectReader, World


def test_facts_of_a_graph_that_was_measured(world: World) -> None:
    agent = world.agent((TARGET, OTHER_TARGET))
    world.measure(agent)
    graph = world.graph()
    facts = NetworkFacts(world.database, Resolver(world.database, DirectReader()))
    items = [Item(graph=graph), InputError("none"), Item(graph="g1-" + "0" * 64), Item(space="nasbench201", text="x")]
    here = facts.of(TARGET.id, items, list(FACTS))
    assert here[0]["macs"] is not None
    assert here[0]["parameter_bytes"] is not None
    assert here[0]["peak_memory_bytes"] == 1000
    assert here[1:] == [dict.fromkeys(FACTS.values())] * 3
    elsewhere = facts.of(OTHER_TARGET.id, items[:1], ["macs", "peak_memory"])
    assert elsewhere == [{"macs": here[0]["macs"], "peak_memory_bytes": None}]


@pytest.mark.parametrize("space", ["fbnet", "mnasnet", "ofa_mbv3"])
def test_texts_of_networks_in_parts_are_summed_up_without_a_graph(world: World, space: str) -> None:
    """The same numbers as of the graph, shared constants included; each part is read once."""
    world.agent((TARGET, OTHER_TARGET))
    rng, reader = np.random.default_rng(0), DirectReader()
    texts = [get_space(space).sample(rng).text for _ in range(3)]
    facts = NetworkFacts(world.database, Resolver(world.database, reader))
    names = ["macs", "flops", "params", "activations"]
    items = [Item(space=space, text=text) for text in texts]
    summed = facts.of(TARGET.id, items, names)
    read = reader.calls["summary"]
    assert facts.of(OTHER_TARGET.id, items, names) == summed
    assert reader.calls["summary"] == read
    for text, each in zip(texts, summed, strict=True):
        whole = reader.read(ModelText(architecture=Architecture(space=space, text=text)), [SUMMARY]).feature(SUMMARY)
        assert each == {FACTS[name]: whole[FACTS[name]] for name in names}
    (with_peak,) = facts.of(TARGET.id, items[:1], [*names, "peak_memory"])
    assert with_peak == {**summed[0], "peak_memory_bytes": None}


def test_texts_that_are_none_have_no_facts_in_any_space(world: World) -> None:
    world.agent((TARGET, OTHER_TARGET))
    facts = NetworkFacts(world.database, Resolver(world.database, DirectReader()))
    assert facts.of(TARGET.id, [Item(space="fbnet", text="x")], ["macs"]) == [{"macs": None}]
