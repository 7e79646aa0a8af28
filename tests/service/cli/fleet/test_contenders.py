"""`latcast targets show`: a target with its contenders."""

from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from tests.service.cli.doubles import FakeClient

SERVED = {
    "id": "t1",
    "device_name": "pi",
    "label": "onnxruntime fp32 1 thread",
    "measurements": 3,
    "adaptation": None,
    "origin": "",
    "offered": True,
    "online": True,
    "seen_unix_s": 1.0,
    "options": {},
    "created_unix_s": 1.0,
}


class ContendedClient(FakeClient):
    """A service with one target, for which two predictors contend."""

    def contenders(self, target: str) -> list[dict[str, Any]]:
        standings = [
            {"name": "pretrained:universal-graphs", "kind": "universal", "weight": 0.8, "median_ape": 0.05,
             "interval_score": 0.4, "record": None, "adapt_ms": 120.0, "refused": ""},
            {"name": "18eca920773b5671ed6becd5", "kind": "help", "weight": 0.0, "median_ape": None,
             "interval_score": None, "record": 0.1, "adapt_ms": None, "refused": "It needs ten references."},
        ]  # fmt: skip
        return [{"space": None, "predictor": "x", "adapted": True, "measurements": 10, "standings": standings}]


def test_a_target_is_shown_with_its_contenders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("service.cli.fleet.contenders.open_client", lambda *_: ContendedClient(targets=[[SERVED]]))
    done = CliRunner().invoke(app, ["targets", "show", SERVED["id"]])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    first, second = (line.split() for line in lines if line.startswith("graphs"))
    assert first[1:] == ["pretrained:universal-graphs", "0.80", "5.0", "%", "0.40", "–", "120", "ms"]
    assert second[2:] == ["0.00", "–", "–", "10.0", "%", "–"]
    assert "takes no part: It needs ten references." in done.stdout
