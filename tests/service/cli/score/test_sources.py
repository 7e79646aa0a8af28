"""What answers for each target, fetched once: predictors that name their target, and measured latencies."""

from pathlib import Path

import pytest

from latcast.client import Client
from latcast.schema import Target, UnknownNameError, from_plain
from predictors.artifact import Artifact
from service.cli.score.parts import open_parts
from service.cli.score.sources import begin, kept_sources, known_spaces
from tests.service.cli.score.conftest import cells


def test_sources_are_kept_as_they_were_fetched(
    service: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.cli.score.sources.PAGE", 30)
    asked = {"targets": ["phone", "other"], "level": 0.9}
    with open_parts(tmp_path / "out.parquet") as parts:
        begin(parts, service, asked, rows=5, spaces=["nasbench201"])
        sources = kept_sources(parts, parts.plan(asked) or {})
    assert sources.labels == ("phone", "other")
    for label in sources.labels:
        target = next(one for one in service.targets() if one["device_name"] == label)
        name = (label, "nasbench201")
        assert from_plain(Target, Artifact.from_bytes(sources.artifacts[name]).meta["target"]).id == target["id"]
        measured = sources.measured[name]
        assert set(measured) == set(cells(100, seed=1))
        text = cells(1, seed=1)
        assert measured[text[0]][0] == service.target(target["id"]).predict(text, space="nasbench201").latency_ms[0]


def test_an_unknown_target_leaves_no_plan(service: Client, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError), open_parts(tmp_path / "out.parquet") as parts:
        begin(parts, service, {"targets": ["tablet"], "level": 0.9}, rows=5, spaces=["nasbench201"])
    assert list(tmp_path.iterdir()) == []


def test_spaces_have_one_name() -> None:
    assert known_spaces(["NASBench-201", "nasbench201", "nobody's", "fbnet"]) == ["nasbench201", "fbnet"]
