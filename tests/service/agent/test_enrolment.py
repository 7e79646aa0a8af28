"""What an agent offers, and the key that it registers with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from latcast.errors import ConflictError
from latcast.schema import Device, InputError, Target, UnknownNameError
from profilers.host.device import describe_device
from service.agent.enrolment import enrol, offered_targets, read_key, state_folder, write_key
from tests.profilers.host.test_private_files import FOREIGN
from tests.service import helpers
from tests.service.helpers import World

DEVICE = replace(describe_device(), logical_cores=4)


@pytest.fixture(autouse=True)
def _four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profilers.targets.describe_device", lambda: DEVICE)


def test_an_agent_offers_every_combination() -> None:
    offered = offered_targets(DEVICE, ["fake"], [1, 4], precisions=["fp32", "as_given"], options={"latency_us": "9"})
    assert [(target.precision, target.threads) for target in offered] == [
        ("fp32", 1), ("fp32", 4), ("as_given", 1), ("as_given", 4)
    ]  # fmt: skip
    assert {target.options["latency_us"] for target in offered} == {"9"}
    assert {target.options["fault"] for target in offered} == {"none"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precisions": ["int4"]}, "cannot be fake int4: fake does not know the precision 'int4'"),
        ({"options": {"colour": "red"}}, "The backend 'fake' has no option 'colour'"),
        ({"options": {"fault": "luck"}}, "The option fault cannot be 'luck'"),
        ({"threads": [5]}, "may use 4 CPUs"),
    ],
)
def test_what_cannot_be_offered_is_refused_in_a_sentence(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        offered_targets(**{"device": DEVICE, "backends": ["fake"], "threads": [1], **changes})


def test_an_unknown_backend_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="onnxruntime"):
        offered_targets(DEVICE, ["abacus"], [1])


def test_the_key_is_kept_whole_and_for_the_owner_alone(tmp_path: Path) -> None:
    assert read_key(tmp_path) is None
    write_key(tmp_path, "latcast_secret")
    assert read_key(tmp_path) == "latcast_secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").chmod(0o644)
    read_key(tmp_path)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_a_crash_left_empty_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    assert read_key(tmp_path) is None


def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError, match="key holds no key: remove it, and register anew"):
        read_key(tmp_path)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_is_in_the_keys_place_is_not_read(tmp_path: Path, foreign: Callable[[Path], None]) -> None:
    foreign(tmp_path / "key")
    with pytest.raises(OSError, match="key"):
        read_key(tmp_path)


def test_a_state_folder_is_the_users_alone(tmp_path: Path) -> None:
    folder = state_folder(tmp_path, "http://service", DEVICE)
    folder.chmod(0o777)
    assert state_folder(tmp_path, "http://service", DEVICE) == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_folder_of_version_0_1_is_taken_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.agent.enrolment.former_fingerprint", lambda: "former")
    former = state_folder(tmp_path / "state", "http://service", replace(DEVICE, fingerprint="former"))
    write_key(former, "latcast_secret")
    (former / "spool").mkdir()
    folder = state_folder(tmp_path / "state", "http://service", DEVICE)
    assert (read_key(folder), (folder / "spool").is_dir(), former.exists()) == ("latcast_secret", True, False)
    assert state_folder(tmp_path / "state", "http://service", DEVICE) == folder
    other = state_folder(tmp_path / "state", "http://another", DEVICE)
    assert other != folder
    assert {path.stat().st_mode & 0o777 for path in (folder, other, folder.parent)} == {0o700}


def test_a_user_without_a_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nowhere)
    with pytest.raises(InputError, match=r"~/here: name a folder with --state, or set HOME"):
        state_folder(Path("~/here"), "http://service", DEVICE)


def test_agents_of_one_machine_with_other_homes_are_never_taken_for_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.agent.enrolment.Client", lambda _server, key: world.client_with(key))

    def join(home: str, device: Device = helpers.DEVICE, target: Target = helpers.TARGET) -> str:
        folder = state_folder(tmp_path / home, "http://service", device)
        return enrol("http://service", device, [target], token=None, folder=folder, say=print)

    first = join("a")
    assert world.client_with(first).lease(wait_s=0) is None
    with pytest.raises(ConflictError, match=r"is there already.*another HOME has another one.*--device-id NAME"):
        join("b")
    assert join("a") == first
    join("b", replace(helpers.DEVICE, fingerprint="its own"), replace(helpers.TARGET, device="its own"))
    assert len(world.client.devices()) == 2
