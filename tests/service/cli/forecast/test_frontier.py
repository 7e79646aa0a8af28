"""`latcast frontier`: fronts of a whole space, on one target with a metric or on several without."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from profilers.search_spaces import get_space
from service.cli.main import app
from tests.service.cli.doubles import LISTED, FakeClient

OTHER = {**LISTED, "id": "other", "device_name": "phone"}
SPACE = get_space("nasbench201")


class Client(FakeClient):
    """Two devices: one likes 1×1 convolutions, the other pooling."""

    def __init__(self) -> None:
        super().__init__(targets=[[{**LISTED, "options": {}}, {**OTHER, "options": {"space": "nasbench201"}}]])
        self.parts: list[int] = []

    def target(self, name: str) -> Any:
        return SimpleNamespace(id=name)

    def predict_on(self, asked: list[Any], texts: list[str], *, space: str) -> dict[str, Any]:
        assert space == "nasbench201"
        self.parts.append(len(texts))
        return {one.id: SimpleNamespace(latency_ms=[cost(one.id, text) for text in texts]) for one in asked}


def cost(target: str, text: str) -> float:
    dear = "avg_pool" if target == LISTED["id"] else "nor_conv_1x1"
    return 1.0 + 3 * text.count(dear) + 0.5 * (6 - text.count("none"))


def run(client: Client, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setattr("service.cli.forecast.frontier.open_client", lambda *_: client)
    return CliRunner().invoke(app, ["frontier", "--space", "nasbench201", *arguments])


def test_a_whole_space_is_compared_on_two_targets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client, svg = Client(), tmp_path / "front.svg"
    done = run(client, monkeypatch, "--targets", "bench,phone", "--svg", str(svg), "--json", "-")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["networks"] == 15_625
    assert client.parts == [10_000, 5_625]
    (front,) = shown["fronts"].values()
    assert front[0]["cost"] == 1.0
    assert len(front) == 1  # without any operator both are at their best
    assert svg.read_text().startswith("<svg")


def test_a_metric_gives_a_front_for_each_target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = {text: text.count("nor_conv_1x1") for text in list(SPACE.all())[:3000:7]}  # type: ignore[attr-defined]
    table = tmp_path / "accuracy.csv"
    table.write_text("\n".join(["text,accuracy", *[f"{text},{value}" for text, value in cells.items()]]))
    done = run(Client(), monkeypatch, "--targets", "bench", "--metric", str(table), "--json", "-")
    shown = json.loads(done.stdout)
    assert shown["networks"] == len(cells)
    front = shown["fronts"]["bench"]
    assert front[-1]["value"] == max(cells.values())
    assert [point["cost"] for point in front] == sorted(point["cost"] for point in front)
    people = run(Client(), monkeypatch, "--targets", "bench", "--metric", str(table))
    assert f"bench: {len(front)} of {len(cells)} networks" in people.stdout


def test_what_cannot_be_compared_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "two targets at least" in run(Client(), monkeypatch, "--targets", "bench").output
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    done = run(Client(), monkeypatch, "--targets", "bench", "--metric", str(tmp_path / "bad.csv"))
    assert "column text" in str(done.exception)
    monkeypatch.setattr("service.cli.forecast.frontier.open_client", lambda *_: Client())
    large = CliRunner().invoke(app, ["frontier", "--space", "fbnet", "--targets", "bench,phone"])
    assert large.exit_code != 0


def test_a_sample_of_a_large_space(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    run(client, monkeypatch, "--targets", "bench,phone", "--sample", "50", "--json", "-")
    assert client.parts == [50]


@pytest.mark.parametrize(
    ("delimiter", "encoding", "value"), [(",", "utf-8", "{}.5"), (";", "utf-8-sig", "{},5"), ("\t", "utf-16", "{}.5")]
)
def test_metrics_are_tables_as_people_have_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, delimiter: str, encoding: str, value: str
) -> None:
    texts = list(SPACE.all())[:3000:70]  # type: ignore[attr-defined]
    rows = [[str(n), text, value.format(text.count("nor_conv_1x1"))] for n, text in enumerate(texts)]
    rows += [["7", texts[0] + "|", ""], ["8"]]
    table = tmp_path / "accuracy.csv"
    table.write_text("\n".join(delimiter.join(row) for row in [["name", "Arch", "top 1"], *rows]), encoding=encoding)
    done = run(Client(), monkeypatch, "--targets", "bench", "--metric", str(table), "--json", "-")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)["networks"] == len(texts)
    assert json.loads(done.stdout)["fronts"]["bench"][0]["value"] % 1 == 0.5


def test_a_metric_that_is_no_number_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("text,accuracy\na,1\nb,high\n")
    done = run(Client(), monkeypatch, "--targets", "bench", "--metric", str(tmp_path / "bad.csv"))
    assert "bad.csv line 3: 'high' in the column 'accuracy' is no number." in str(done.exception)


def test_one_target_named_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(Client(), monkeypatch, "--targets", f"bench,{LISTED['id']}")
    assert "name each target once" in str(done.exception)
