"""The built networks of the development set: those that are built by hand are the ones that the set was frozen with."""

import json
from pathlib import Path

import onnx
import pytest

from benchmarks import real_models
from benchmarks.built_models import loops, odd_structures, writing
from profilers.onnx_graph import load_graph

FROZEN = json.loads(writing.FROZEN.read_text())
LARGE = {"many-matrices", "one-large-matrix"}
"""Networks whose weights take a second to draw."""
BY_HAND = {**loops.NETWORKS, **odd_structures.NETWORKS}


def test_all_networks_are_frozen_under_names_of_their_own() -> None:
    assert set(writing.builders()) == set(FROZEN)
    assert len(FROZEN) >= 40


@pytest.mark.parametrize("name", sorted(BY_HAND.keys() - LARGE))
def test_what_is_built_by_hand_is_what_was_frozen(name: str) -> None:
    built = BY_HAND[name]()
    onnx.checker.check_model(built.model)
    graph = load_graph(built.model.SerializeToString())
    assert graph.hash == FROZEN[name]
    assert {graph.tensors[place].name for place in graph.inputs} >= set(built.feeds)


def test_networks_are_written_once_and_those_that_changed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise ImportError("No module named 'exporter'")

    networks = {"sequences": odd_structures.NETWORKS["sequences"], "suppression-few": loops.NETWORKS["gru-scan"]}
    monkeypatch.setattr(writing, "builders", lambda: {**networks, "exported": missing})
    lines = list(writing.write_networks(tmp_path))
    said = capsys.readouterr().out
    assert [line["name"] for line in lines] == ["sequences", "suppression-few"]
    assert all((tmp_path / line["onnx"]).is_file() for line in lines)
    assert "suppression-few is not the network" in said
    assert "sequences is not" not in said
    assert "exported is left out: No module named 'exporter'" in said
    list(writing.write_networks(tmp_path))
    assert "building sequences" not in capsys.readouterr().out


def test_each_file_is_in_the_development_set_once() -> None:
    lines: list[dict[str, object]] = [
        {"name": "a-1", "onnx": "a.onnx"}, {"name": "a-2", "onnx": "a.onnx"}, {"name": "b", "onnx": "b.onnx"},
    ]  # fmt: skip
    assert [line["name"] for line in real_models._once(lines)] == ["a-1", "b"]
