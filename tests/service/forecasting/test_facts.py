"""Facts of networks: their work and sizes, and the memory of processes that measured them on the target."""

from latcast.schema import InputError
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
