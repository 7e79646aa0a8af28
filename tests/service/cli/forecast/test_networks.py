"""Networks that people name become items of `/predict`."""

from pathlib import Path

import pytest
import typer

from latcast import item
from latcast.schema import InputError
from service.cli.forecast import networks
from service.cli.forecast.networks import Network, item_of, predict_all
from service.cli.shapes import Sizes
from tests.service.cli.doubles import FakeClient

NONE = Sizes(shapes={}, dims={})


def test_a_network_is_a_text_a_hash_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"model")
    assert item_of("text", space="zoo", graph=False, sizes=NONE) == item(space="zoo", text="text")
    assert item_of("g1-x", space=None, graph=True, sizes=NONE) == item(graph="g1-x")
    read = item_of(str(path), space=None, graph=False, sizes=Sizes(shapes={"x": (1, 3)}, dims={"n": 2}))
    assert read == item(onnx=b"model", shapes={"x": (1, 3)}, dims={"n": 2})

    for space, graph in (("zoo", False), (None, True)):
        with pytest.raises(typer.BadParameter, match="have theirs already"):
            item_of("text", space=space, graph=graph, sizes=Sizes(shapes={}, dims={"n": 2}))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.onnx.*search space"):
        item_of(str(tmp_path / "missing.onnx"), space=None, graph=False, sizes=NONE)
    with pytest.raises(InputError, match="directory"):
        item_of(str(tmp_path), space=None, graph=False, sizes=NONE)


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
