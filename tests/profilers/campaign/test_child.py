"""What the process of a campaign answers; requests come from memory, and nothing is limited."""

import gc
import io
from collections.abc import Iterator

import pytest

from latcast.schema import Architecture, ProfileSettings, from_plain, to_plain
from profilers.campaign.child import StepAnswer, StepRequest, TargetSetup, serve
from profilers.host.child_limits import ChildLimits
from profilers.host.long_lived import Requests
from profilers.host.messages import read_message, write_message

SETTINGS = ProfileSettings(
    backend="fake", max_samples=3, min_samples=3, max_seconds=0.01, warmup_seconds=0.01, sentinel=False,
    options={"latency_us": "10"},
)  # fmt: skip
LIMITS = ChildLimits(timeout_s=1.0, memory_bytes=1, file_bytes=1)


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ChildLimits, "apply", lambda limits: None)
    yield
    gc.enable()


def answers(*requests: StepRequest, settings: ProfileSettings = SETTINGS) -> list[StepAnswer]:
    asked, said = io.BytesIO(), io.BytesIO()
    write_message(asked, {"limits": to_plain(LIMITS), "setup": to_plain(TargetSetup(settings=settings))})
    for request in requests:
        write_message(asked, to_plain(request))
    asked.seek(0)
    serve(Requests(asked, said))
    said.seek(0)
    assert read_message(said, largest=2**20) == ({"ready": True}, b"")
    received = []
    while (message := read_message(said, largest=2**20)) is not None:
        received.append(from_plain(StepAnswer, message[0]))
    return received


def test_an_architecture_has_two_answers() -> None:
    begun, ended = answers(StepRequest(architecture=Architecture(space="kernels", text="gemm")))
    assert begun.graph.startswith("g1-")
    assert begun.feeds
    assert begun.run is None
    assert ended.run is not None
    assert ended.run.samples_ms
    assert ended.run.kernels


def test_without_an_architecture_the_sentinel_is_measured() -> None:
    (answer,) = answers(StepRequest())
    assert answer.sentinel_ms is not None
    assert answer.sentinel_ms > 0


@pytest.mark.slow
def test_what_goes_wrong_is_answered_and_the_next_request_too() -> None:
    broken = StepRequest(architecture=Architecture(space="kernels", text="gemm/rows=many"))
    refused, sentinel = answers(broken, StepRequest())
    assert refused.failure is not None
    assert refused.failure.stage == "load"
    assert sentinel.sentinel_ms is not None


def test_a_model_that_fails_has_been_begun() -> None:
    failing = ProfileSettings(backend="fake", options={"fault": "error"}, sentinel=False)
    begun, ended = answers(StepRequest(architecture=Architecture(space="kernels", text="gemm")), settings=failing)
    assert begun.graph
    assert ended.failure is not None
    assert ended.failure.stage == "run"
