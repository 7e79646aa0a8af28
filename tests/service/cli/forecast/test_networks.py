"""Networks that people name become items of `/predict`."""

from pathlib import Path

import pytest
import typer

from latcast import item
from latcast.errors import BodyTooLargeError
from latcast.schema import InputError
from service.cli.forecast import networks
from service.cli.forecast.network_files import networks_of
from service.cli.forecast.networks import Network, predict_all
from service.cli.shapes import Sizes
from tests.service.cli.doubles import FakeClient

NONE = Sizes(shapes={}, dims={})


def asked(name: str, *, space: str | None = None, graph: bool = False, sizes: Sizes = NONE) -> Network:
    (network,) = networks_of([name], None, space=space, graph=graph, curve=[sizes])
    return network


def test_a_network_is_a_text_a_hash_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"model")
    assert asked("text", space="zoo").item == item(space="zoo", text="text")
    assert asked("g1-x", graph=True).item == item(graph="g1-x")
    read = asked(str(path), sizes=Sizes(shapes={"x": (1, 3)}, dims={"n": 2}))
    assert read.item == item(onnx=b"model", shapes={"x": (1, 3)}, dims={"n": 2})
    assert (read.model, asked("text", space="zoo").model) == (b"model", None)

    for space, graph in (("zoo", False), (None, True)):
        with pytest.raises(typer.BadParameter, match="have theirs already"):
            asked("text", space=space, graph=graph, sizes=Sizes(shapes={}, dims={"n": 2}))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.onnx.*search space"):
        asked(str(tmp_path / "missing.onnx"))
    with pytest.raises(InputError, match="directory"):
        asked(str(tmp_path))


def test_many_networks_are_asked_about_in_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "ITEMS_OF_CALL", 2)
    monkeypatch.setattr(networks, "BYTES_OF_CALL", 8)
    small, large = Network(name="s", item={"graph": "g"}), Network(name="l", item={"onnx": "123456"})
    asked = [small, small, small, large, large]
    counts: list[int] = []
    client = FakeClient(predict=[[{"n": 1}, {"n": 2}], [{"n": 3}, {"n": 4}], [{"n": 5}]])
    answers = predict_all(client, "t", asked, level=0.5, on_answers=counts.append)  # type: ignore[arg-type]
    assert [answer["n"] for answer in answers] == [1, 2, 3, 4, 5]
    assert counts == [2, 2, 1]
    assert client.asked[0] == ("predict", ("t", [small.item] * 2), {"level": 0.5})


def test_a_file_that_cannot_be_read_spoils_no_other() -> None:
    read, unread = Network(name="r", item={"graph": "g"}), Network(name="u", item={}, problem=InputError("Not there."))
    counts: list[int] = []
    client = FakeClient(predict=[[{"n": 1}, {"n": 2}]])
    answers = predict_all(client, "t", [read, unread, read], level=0.5, on_answers=counts.append)  # type: ignore[arg-type]
    assert answers == [{"n": 1}, {"error": {"detail": "Not there."}}, {"n": 2}]
    assert counts == [1, 2]
    assert predict_all(client, "t", [unread], level=0.5) == [{"error": {"detail": "Not there."}}]  # type: ignore[arg-type]
    assert len(client.asked) == 1


def test_a_model_that_is_too_large_for_the_service_spoils_no_other() -> None:
    small, large = Network(name="s", item={"graph": "g"}), Network(name="l", item={"onnx": "x" * 100})
    calls: list[int] = []

    class Service:
        def predict(self, _target: str, items: list[dict[str, str]], *, level: float) -> list[dict[str, int]]:
            calls.append(len(items))
            if any(len(one.get("onnx", "")) > 50 for one in items):
                raise BodyTooLargeError("The body is larger than 50 bytes.")
            return [{"n": 1} for _ in items]

    answers = predict_all(Service(), "t", [small, large, small, small], level=0.5)  # type: ignore[arg-type]
    assert answers == [{"n": 1}, {"error": {"detail": "The body is larger than 50 bytes."}}, {"n": 1}, {"n": 1}]
    assert calls == [4, 2, 1, 1, 2]
