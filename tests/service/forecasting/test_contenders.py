"""Who contends for a target, as the service lists it."""

from pathlib import Path

from tests.service.forecasting.test_imported_targets import KNOWN, ImportedWorld, graph_base, lines, world

__all__ = ["graph_base", "world"]


def test_who_contends_is_listed_with_errors_and_weights(world: ImportedWorld, tmp_path: Path) -> None:
    target = world.load(tmp_path, lines("board", KNOWN))["board nasbench201"]
    (cells,) = world.client.contenders(target)
    assert (cells["space"], cells["adapted"], cells["measurements"]) == ("nasbench201", True, 50)
    (alone,) = cells["standings"]
    assert (alone["name"], alone["weight"]) == ("pretrained:universal-nasbench201", 1.0)
    assert 0 < alone["median_ape"] < 0.2
    assert alone["interval_score"] > 0
    assert alone["adapt_ms"] > 0
