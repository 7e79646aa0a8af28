"""Log lines hide what is secret."""

from service.operations.logs import redact
from tests.service.helpers import model


def test_logs_hide_secrets_and_models() -> None:
    event = {"event": "call", "api_key": "k", "lease_token": "t", "Authorization": "b", "body": model(), "path": "/x"}
    hidden = redact(None, "info", event)
    assert hidden["path"] == "/x"
    assert {hidden[name] for name in ("api_key", "lease_token", "Authorization")} == {"[hidden]"}
    assert "bytes]" in str(hidden["body"])
