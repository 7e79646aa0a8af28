"""What this machine can be: the survey of backends and the choice of settings."""

from dataclasses import replace

import pytest

from latcast.schema import Availability, ProfileSettings
from profilers import targets
from profilers.backends import get_backend
from profilers.backends.fake import FakeBackend
from profilers.backends.openvino import OpenVinoBackend
from profilers.host.device import describe_device
from profilers.targets import CHOSEN, local_targets, survey, why_not

DEVICE = replace(describe_device(), logical_cores=2)


class Shown(FakeBackend):
    """The fake as if it measured something."""

    for_tests = False


class Absent(Shown):
    name = "absent"
    precisions = ("fp32", "bf16")

    def probe(self) -> Availability:
        return Availability(ok=False, reason="Absent is not installed: pip install 'latcast[absent]'.")


class Modest(Shown):
    """Computes in one thread, and not in bf16."""

    name = "modest"
    precisions = ("fp32", "bf16")
    most_threads = 1

    def probe(self) -> Availability:
        return Availability(ok=True, version="3", precisions=("fp32",))


@pytest.fixture(autouse=True)
def _two_cores_and_three_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"fake": Shown, "tests": FakeBackend, "absent": Absent, "modest": Modest}
    monkeypatch.setattr(targets, "describe_device", lambda: DEVICE)
    monkeypatch.setattr(targets, "backend_names", lambda: tuple(known))
    monkeypatch.setattr(targets, "get_backend", lambda name: known[name]())


def test_the_survey_lists_every_precision_with_threads_options_and_remedy() -> None:
    listed = [(kind.backend, kind.precision) for kind in survey()]
    assert len(listed) == len(set(listed)), "a backend for tests is left out"
    kinds = {(kind.backend, kind.precision): kind for kind in survey()}
    assert {precision for backend, precision in kinds if backend == "fake"} == {"fp32", "as_given"}
    assert kinds["fake", "fp32"].most_threads == 2
    assert kinds["fake", "fp32"].options["fault"][:2] == ("none", "crash")
    assert kinds["fake", "fp32"].options["latency_us"] == ()
    assert kinds["modest", "fp32"].most_threads == 1
    assert "does not compute in bf16" in kinds["modest", "bf16"].reason
    assert "pip install 'latcast[absent]'" in kinds["absent", "bf16"].reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ProfileSettings(backend="fake", threads=2), ""),
        (ProfileSettings(backend="fake", threads=3), "3 threads are more than the 2"),
        (ProfileSettings(backend="modest", threads=2), "2 threads are more than the 1 that modest can use"),
        (ProfileSettings(backend="modest", precision="bf16"), "does not compute in bf16"),
        (ProfileSettings(backend="modest", precision="int4"), "does not know the precision 'int4'"),
        (ProfileSettings(backend="absent"), "pip install"),
        (ProfileSettings(backend="abacus"), "There is no backend 'abacus'"),
    ],
)
def test_chosen_settings_are_possible_or_have_a_reason(settings: ProfileSettings, words: str) -> None:
    ((found, reason),) = why_not([settings])
    assert found is settings
    assert words in reason
    assert bool(words) == bool(reason)
    assert local_targets([settings]) == (() if words else (settings,))


def test_the_choice_is_of_different_settings_that_backends_know() -> None:
    assert len({repr(settings) for settings in CHOSEN}) == len(CHOSEN)
    for settings in CHOSEN:
        assert settings.precision in get_backend(settings.backend).precisions


def test_bfloat16_depends_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    if not OpenVinoBackend().probe().ok:
        pytest.skip(OpenVinoBackend().probe().reason)
    for features, expected in ((("avx2",), False), (("avx2", "avx512bw"), True)):
        device = replace(DEVICE, features=features)
        monkeypatch.setattr("profilers.backends.openvino.describe_device", lambda device=device: device)
        assert ("bf16" in OpenVinoBackend().probe().precisions) == expected
