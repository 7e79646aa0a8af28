"""The dashboard and the alert rules ask for metrics that the service has, and the units run commands that exist."""

import json
import re
from pathlib import Path

import pytest
import yaml

from service.agent.unit import systemd_unit
from tests.service.helpers import World

FOLDER = Path(__file__).parents[3] / "docs" / "operations"
NAME = re.compile(r"\blatcast_[a-z_]+\b")


def expressions() -> list[str]:
    dashboard = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return asked + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_metrics_that_are_asked_for_exist(world: World) -> None:
    text = world.http.get("/metrics").text
    there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert len(expressions()) > 12
    for expression in expressions():
        names = {name.removesuffix("_bucket") for name in NAME.findall(expression)}
        assert names <= there, expression
        assert expression.count("(") == expression.count(")")


def test_rules_say_what_is_wrong_and_for_how_long() -> None:
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    guide = (FOLDER.parent / "guides" / "operations.md").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in rules if not rule["annotations"]["summary"] or "for" not in rule] == []
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in guide] == []


def test_the_units_file_is_what_an_agent_prints() -> None:
    text = (FOLDER / "latcast-agent.service").read_text(encoding="utf-8")
    assert text == systemd_unit("/opt/latcast/bin/latcast", [], needs_environment=True)


@pytest.mark.parametrize("unit", ["latcast.service", "latcast-agent.service"])
def test_units_run_commands_that_exist(unit: str) -> None:
    from typer.main import get_command

    from service.cli.main import app

    (line,) = re.findall(r"^ExecStart=/opt/latcast/bin/latcast (.*)$", (FOLDER / unit).read_text(), re.MULTILINE)
    name, *options = line.split()
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    offered = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    assert {option for option in options if option.startswith("--")} <= offered
