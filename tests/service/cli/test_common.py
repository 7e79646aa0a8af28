"""What commands share: how a target is named, options of pairs, and the database of `serve`."""

from pathlib import Path

import pytest
import typer
from sqlalchemy import select

from latcast.schema import InputError, UnknownNameError
from service.cli.common import find_target, named_target, open_client, open_database, parse_pairs
from service.db import tables

TARGETS = [
    {"id": "aabb", "device_name": "pi", "label": "onnxruntime 1 thread"},
    {"id": "aacc", "device_name": "pi", "label": "onnxruntime 4 threads"},
    {"id": "ffff", "device_name": "server", "label": "onnxruntime 1 thread"},
]


@pytest.mark.parametrize(("wanted", "found"), [("aabb", "aabb"), ("f", "ffff"), ("server", "ffff"), ("aab", "aabb")])
def test_a_target_is_named_by_id_beginning_or_device(wanted: str, found: str) -> None:
    assert find_target(TARGETS, wanted)["id"] == found


def test_a_whole_id_wins_over_ids_that_begin_with_it() -> None:
    longer = [{"id": "aabbcc", "device_name": "pi", "label": ""}, *TARGETS]
    assert find_target(longer, "aabb")["id"] == "aabb"


def test_a_target_that_is_not_clear_is_asked_for() -> None:
    assert find_target(TARGETS[:1], None)["id"] == "aabb"
    with pytest.raises(InputError, match=r"aabb.*aacc"):
        find_target(TARGETS, "pi")
    with pytest.raises(InputError, match="--target"):
        find_target(TARGETS, None)
    with pytest.raises(UnknownNameError, match="zzz"):
        find_target(TARGETS, "zzz")
    with pytest.raises(InputError, match="latcast agent"):
        find_target([], None)


def test_a_target_is_named_by_words_of_its_device_and_label() -> None:
    assert find_target(TARGETS, "PI 4")["id"] == "aacc"
    assert find_target(TARGETS, "thread server")["id"] == "ffff"
    with pytest.raises(InputError, match=r"aabb.*aacc"):
        find_target(TARGETS, "onnxruntime pi")
    with pytest.raises(UnknownNameError):
        find_target(TARGETS, "pi 8")
    with pytest.raises(UnknownNameError):
        find_target(TARGETS, " ")


def test_the_only_offered_target_of_several_is_meant() -> None:
    offered = [{**target, "offered": target["id"] == "aacc"} for target in TARGETS]
    assert find_target(offered, None)["id"] == "aacc"
    assert find_target(offered, "pi")["id"] == "aacc"
    assert find_target(offered, "aabb")["id"] == "aabb"


def test_pairs_are_split_at_the_first_sign() -> None:
    assert parse_pairs(["a=1", "b=x=y", "a=2"], "--option") == {"a": "2", "b": "x=y"}
    assert parse_pairs([], "--option") == {}


@pytest.mark.parametrize("text", ["a", "=1", "a=", ""])
def test_a_text_that_is_no_pair_names_its_option(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"--option wants KEY=VALUE, not '{text}'"):
        parse_pairs([text], "--option")


def test_a_client_is_of_the_server_and_sends_the_key() -> None:
    with open_client("http://service:1", "secret") as client:
        assert client.key == "secret"


def test_a_database_that_is_not_there_is_made_and_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCAST_ENROLMENT_TTL_S", "77")
    with open_database(data_dir=tmp_path / "new", database_url=None) as (database, settings):
        with database.read() as session:
            assert session.scalars(select(tables.ApiKey)).all() == []
        assert settings.data_dir == tmp_path / "new"
        assert settings.enrolment_ttl_s == 77
    assert list((tmp_path / "new").glob("*.db"))


def test_what_cannot_be_guessed_at_is_named_by_words_that_fit_one_target_alone() -> None:
    offered = [{**target, "offered": target["id"] == "aacc"} for target in TARGETS]
    assert named_target(offered, "PI 4") == "aacc"
    assert named_target(offered, "aabb") == "aabb"
    with pytest.raises(InputError, match=r"fit 'pi'; name one by its id: aabb \(pi, onnxruntime 1 thread\); aacc"):
        named_target(offered, "pi")
    assert named_target(offered, "zzz") == "zzz"
