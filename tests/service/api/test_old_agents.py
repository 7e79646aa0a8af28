"""Agents of older releases work: the calls that one made are made again, and each is taken."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.helpers import World

FILES = sorted((Path(__file__).parents[2] / "data" / "agents").glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_calls_of_an_agents_life_are_taken(file: Path, keyed: tuple[World, dict[str, str]]) -> None:
    world, _ = keyed
    calls = json.loads(file.read_text(encoding="utf-8"))
    known = {"token": world.client.create_enrolment_token()["enrolment_token"], "graph": world.graph()}
    target = ""
    for call in calls:
        path, body = filled(call["path"], known), filled(call["json"], known)
        headers = {"Authorization": f"Bearer {known['key']}"} if call["agents_key"] else {}
        answer = world.http.request(call["method"], path, json=body, headers=headers)
        assert answer.is_success, (path, answer.text)
        name = path.rsplit("/", 1)[-1]
        if name == "register":
            known["key"], target = answer.json()["agent_key"], answer.json()["target_ids"][0]
            world.client.profile(target, graphs=[known["graph"]] * 2)
        elif name == "lease":
            known |= {"job": answer.json()["id"], "lease": answer.json()["lease_token"]}
        elif name == "result":
            assert answer.json()["state"] == "done"
        elif name == "failure":
            assert answer.json()["state"] == "queued"
    (row, failed) = world.client.measurements(target, sort="id")
    record = world.client.measurement(row["id"])
    assert record.samples_ms == (2.0, 2.1, 2.2)
    assert record.kernels is not None
    assert record.counters is not None
    assert (record.kernels[0].operator, record.counters.values) == ("MatMul", {"instructions": 1e6})
    assert failed["failure_stage"] == "crash"
    assert world.client.microbench(target) is not None


def filled(value: Any, known: dict[str, str]) -> Any:
    """A value with what its names in braces stand for."""
    if isinstance(value, dict):
        return {name: filled(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, known) for item in value]
    if isinstance(value, str):
        for name, text in known.items():
            value = value.replace(f"{{{name}}}", text)
    return value


def test_two_releases_are_kept() -> None:
    assert {file.stem for file in FILES} >= {"0_1", "0_2"}
