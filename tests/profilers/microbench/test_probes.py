"""Probes are valid models that do the work that their entries are divided by."""

import onnx
import pytest

from profilers.microbench.probes import PROBES, THREADED, Probe, probe_model
from profilers.onnx_graph import load_graph, refill_weights


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_probes_are_valid_and_do_the_work_they_claim(probe: Probe) -> None:
    model = probe_model(probe)
    assert model == probe_model(probe)
    onnx.checker.check_model(onnx.load_model_from_string(refill_weights(model)), full_check=True)
    graph = load_graph(model)
    if not probe.name.startswith("chain"):
        assert graph.macs == probe.macs * probe.nodes


def test_probes_have_different_names_and_threaded_ones_are_among_them() -> None:
    names = [probe.name for probe in PROBES]
    assert len(set(names)) == len(names)
    assert set(THREADED) <= set(names)
