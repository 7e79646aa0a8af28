"""The echo that the service is compared with."""

from fastapi.testclient import TestClient

from service.cli.bench.echo import app


def test_a_body_comes_back() -> None:
    body = {"target": "t", "items": [{"text": "é"}] * 3}
    assert TestClient(app).post("/echo", json=body).json() == body
