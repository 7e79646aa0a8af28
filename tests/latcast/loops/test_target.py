"""A target in a search loop: lists of any length, in order, asked for once while nothing changes."""

import json
import pickle
import threading
from functools import partial
from typing import Any

import httpx2
import pytest

from latcast import Client
from latcast.errors import ConflictError
from latcast.loops import RemoteTarget, target
from latcast.loops import networks as planning
from latcast.schema import InputError

PROBLEM = {"type": "urn:latcast:problem:invalid-architecture", "status": 422, "detail": "No such text."}


class Service:
    """Forecasts a text by its number; keeps the lists that it was asked for."""

    def __init__(self, *, state: str | None = "1") -> None:
        self.state, self.lists = state, list[list[str]]()
        self.together = self.most_together = 0
        self._lock = threading.Lock()
        self._two = threading.Barrier(2)
        self.wait_for_another = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/predict":
            return httpx2.Response(200, json=self._predicted(json.loads(request.content)))
        if not path.endswith("/state"):
            return httpx2.Response(200, json={"id": "t"})
        if self.state is None:
            body = {"type": "urn:latcast:problem:not-found", "status": 404, "detail": "Nothing."}
            return httpx2.Response(404, content=json.dumps(body), headers={"Content-Type": "application/problem+json"})
        return httpx2.Response(200, json={"state": self.state})

    def _predicted(self, body: dict[str, Any]) -> dict[str, Any]:
        if "items" in body:
            one = {"latency_ms": 2.0, "interval_ms": [1.0, 3.0], "source": "predicted", "coverage": 1.0,
                   "predictor": "p", "kind": "k", "adapted": True, "measurements": 3, "origin": ""}  # fmt: skip
            return {"items": [one] * len(body["items"])}
        with self._lock:
            self.lists.append(body["texts"])
        if self.wait_for_another:
            self._two.wait(60)
        numbers = [float(text) if text.isdigit() else None for text in body["texts"]]
        errors = {str(place): PROBLEM for place, number in enumerate(numbers) if number is None}
        count = len(numbers)
        return {"latency_ms": numbers, "low_ms": numbers, "high_ms": numbers, "measured": [False] * count,
                "coverage": [1.0] * count, "errors": errors, "predictor": "p", "kind": "k", "adapted": True,
                "measurements": 3, "origin": ""}  # fmt: skip


def remote(service: Service) -> RemoteTarget:
    return Client("http://service", transport=httpx2.MockTransport(service)).target("t")


@pytest.fixture(autouse=True)
def _always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "AnswerMemory", partial(target.AnswerMemory, fresh_s=0.0, settle_s=0.0))


def test_long_lists_are_asked_for_in_parts_together_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning.parts_of, "__kwdefaults__", {"most": 3})
    service = Service()
    service.wait_for_another = True  # each part is answered when another one is there, too
    forecasts = remote(service).predict((str(number) for number in range(12)), space="toy")
    assert forecasts.latency_ms.tolist() == list(range(12))
    assert sorted(map(len, service.lists)) == [3, 3, 3, 3]
    assert forecasts.facts["predictor"] == "p"


def test_answers_are_remembered_until_the_state_changes() -> None:
    service = Service()
    loop = remote(service)
    loop.predict(["1", "2", "bad"], space="toy")
    again = loop.predict(["2", "bad", "3", "2"], space="toy")
    assert service.lists == [["1", "2", "bad"], ["3"]]
    assert again.latency_ms[[0, 2, 3]].tolist() == [2.0, 3.0, 2.0]
    assert set(again.errors) == {1}
    service.state = "2"
    loop.predict(["2"], space="toy")
    assert service.lists[-1] == ["2"]


def test_a_service_without_states_is_asked_each_time() -> None:
    service = Service(state=None)
    loop = remote(service)
    loop.predict("1", space="toy")
    loop.predict("1", space="toy")
    assert service.lists == [["1"], ["1"]]


def test_networks_that_are_no_texts_are_asked_for_as_items() -> None:
    forecasts = remote(Service()).predict([{"graph": "g"}, {"space": "toy", "text": "x"}])
    assert forecasts.latency_ms.tolist() == [2.0, 2.0]
    assert forecasts.high_ms.tolist() == [3.0, 3.0]
    assert forecasts.facts["measurements"] == 3


def test_with_a_space_networks_are_texts() -> None:
    with pytest.raises(InputError, match="not bytes"):
        remote(Service()).predict([b"onnx"], space="toy")


def test_it_is_the_description_and_travels() -> None:
    loop = remote(Service())
    assert loop == {"id": "t"}
    assert loop.id == "t"
    client = Client("http://service")
    copy = pickle.loads(pickle.dumps(RemoteTarget(client, loop)))  # noqa: S301 - our own
    assert isinstance(copy, RemoteTarget)
    assert copy["id"] == "t"


def test_what_the_service_refuses_is_raised() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/predict"):
            body = {"type": "urn:latcast:problem:conflict", "status": 409, "detail": "Adapt one."}
            return httpx2.Response(409, content=json.dumps(body), headers={"Content-Type": "application/problem+json"})
        return httpx2.Response(200, json={"id": "t", "state": "s"})

    with pytest.raises(ConflictError, match="Adapt one"):
        Client("http://service", transport=httpx2.MockTransport(refuse)).target("t").predict(["1"], space="toy")


def test_several_targets_in_one_call() -> None:
    client = Client("http://service", transport=httpx2.MockTransport(Service()))
    answers = client.predict_on([client.target("t")], ["1", "2"], space="toy")
    assert answers["t"].latency_ms.tolist() == [1.0, 2.0]


WORK_OF_TEXTS = {"macs": 2.0, "flops": 6.0, "parameter_bytes": 1.0, "activation_bytes": 2.0}


class Working:
    """Says what texts take, those of one digit with forecasts and others by themselves; keeps what it was asked."""

    def __init__(self, refusal: int = 200) -> None:
        self.refusal, self.bodies, self.alone = refusal, list[dict[str, Any]](), list[str]()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/architectures":
            self.alone.append(json.loads(request.content)["text"])
            return httpx2.Response(200, json={**WORK_OF_TEXTS, "arithmetic_intensity": 2.0, "nodes": 1})
        if path != "/predict":
            return httpx2.Response(200, json={"id": "t"})
        self.bodies.append(json.loads(request.content))
        if self.refusal != 200:
            kind = {409: "conflict", 422: "input"}[self.refusal]
            problem = {"type": f"urn:latcast:problem:{kind}", "status": self.refusal, "detail": "No."}
            headers = {"Content-Type": "application/problem+json"}
            return httpx2.Response(self.refusal, content=json.dumps(problem), headers=headers)
        texts = self.bodies[-1]["texts"]
        return httpx2.Response(
            200,
            json={name: [value if len(text) == 1 else None for text in texts] for name, value in WORK_OF_TEXTS.items()},
        )


def test_work_comes_in_few_calls_and_is_remembered() -> None:
    service = Working()
    target = Client("http://service", transport=httpx2.MockTransport(service)).target("t")
    work = target.work(["1", "22", "1", "3"], space="toy")
    assert [body["texts"] for body in service.bodies] == [["1", "22", "3"]]
    assert service.bodies[0]["include"] == ["macs", "flops", "params", "activations"]
    assert service.alone == ["22"]
    assert work["macs"].tolist() == [2.0] * 4
    assert work["arithmetic_intensity"].tolist() == [2.0] * 4
    target.work(["22", "3"], space="toy")
    assert (len(service.bodies), service.alone) == (1, ["22"])


@pytest.mark.parametrize("refusal", [409, 422])
def test_work_is_told_where_nobody_forecasts_and_by_services_that_do_not_add_it(refusal: int) -> None:
    service = Working(refusal)
    target = Client("http://service", transport=httpx2.MockTransport(service)).target("t")
    assert target.work(["1", "2"], space="toy")["flops"].tolist() == [6.0, 6.0]
    assert sorted(service.alone) == ["1", "2"]


class Learning(Service):
    """Measures at once, at the 100th second; forecasts rest on it when they were asked about for the third time."""

    looks = 0
    adapts = True

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/jobs":
            return httpx2.Response(201, json={"items": [{"id": "j"}]})
        if path == "/jobs/j":
            return httpx2.Response(200, json={"id": "j", "state": "done", "updated_unix_s": 100.0})
        if path == "/targets/t":
            self.looks += 1
            made = {"created_unix_s": 100.5 if self.looks > 3 else 99.0} if self.adapts else None
            return httpx2.Response(200, json={"id": "t", "adaptation": made})
        return super().__call__(request)


@pytest.mark.parametrize(("adapts", "learn_s", "looks"), [(True, 60.0, 4), (False, 60.0, 2), (True, 0.0, 1)])
def test_whoever_asks_waits_until_forecasts_rest_on_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, adapts: bool, learn_s: float, looks: int
) -> None:
    monkeypatch.setattr(target, "LEARNT_LOOK_S", 0.0)
    service = Learning()
    service.adapts = adapts
    one = remote(service)
    assert [job["state"] for job in one.measure(["1"], space="toy", learn_s=learn_s)] == ["done"]
    assert service.looks == looks, "one of them to find the target"


def test_nobody_waits_for_ever_for_a_target_that_learns_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "LEARNT_LOOK_S", 0.01)
    service = Learning()
    service.looks = -1_000_000
    remote(service).measure(["1"], space="toy", learn_s=0.05)
    assert service.looks > -1_000_000 + 1
