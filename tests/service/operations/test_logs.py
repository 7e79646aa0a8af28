"""Log lines hide what is secret, and foreign texts in them do not act."""

import json
from pathlib import Path
from typing import Literal

import pytest
import structlog

from service.operations.logs import clip, configure_logs, redact
from service.settings import Settings
from tests.service.helpers import model


def test_logs_hide_secrets_and_models() -> None:
    event = {"event": "call", "api_key": "k", "lease_token": "t", "Authorization": "b", "body": model(), "path": "/x"}
    hidden = redact(None, "info", event)
    assert hidden["path"] == "/x"
    assert {hidden[name] for name in ("api_key", "lease_token", "Authorization")} == {"[hidden]"}
    assert "bytes]" in str(hidden["body"])


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_path_of_a_call_does_nothing_to_the_terminal(
    log_format: Literal["console", "json"], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/x\x1b]0;owned\x07\0\x9b2J\u202e\nother line"
    configure_logs(Settings(data_dir=tmp_path, log_format=log_format, log_level="info"))
    try:
        structlog.get_logger("test").info("call", path=path, list=[path])
        try:
            raise ValueError(path)
        except ValueError:
            structlog.get_logger("test").exception("unexpected error")
    finally:
        structlog.reset_defaults()
    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if not line.isprintable()]
    assert [line for line in lines if line.startswith("other")] == []
    if log_format == "json":
        assert json.loads(lines[0])["path"] == path


def test_long_texts_are_shortened_and_traces_stay_whole() -> None:
    trace = "Traceback\n" * 1000
    event = clip(None, "info", {"event": "call", "path": "/" + "a" * 60_000, "status": 404, "exception": trace})
    assert event["path"] == "/" + "a" * 999 + "… (60,001 characters)"
    assert event["exception"] == trace
    assert event["status"] == 404
