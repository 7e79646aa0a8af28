"""How a target is named: by an id, the beginning of one, a device's name, or words of its label."""

import pytest

from latcast.loops.target_names import find_target, named_target
from latcast.schema import InputError, UnknownNameError

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


def test_a_word_may_be_what_a_setting_of_the_label_is() -> None:
    tables = [{"id": f"t{space}", "device_name": "pixel3", "label": f"batch=1 space={space}"} for space in "ab"]
    assert find_target(tables, "pixel3 a")["id"] == "ta"
    assert find_target(tables, "pixel3 space=b")["id"] == "tb"
    with pytest.raises(UnknownNameError):
        find_target(tables, "pixel3 ace=b")


def test_of_several_tables_of_a_device_the_one_of_the_networks_space_is_meant() -> None:
    tables = [
        {"id": f"t{space}", "device_name": "pixel3", "label": "imported", "options": {"space": space}}
        for space in ("fbnet", "nasbench201")
    ]
    board = {"id": "tboard", "device_name": "board", "label": "onnxruntime", "options": {"optimisation": "all"}}
    every = [*tables, board]
    assert find_target(every, "pixel3", spaces=["nasbench201"])["id"] == "tnasbench201"
    assert find_target(every, "pixel3", spaces=["fbnet"])["id"] == "tfbnet"
    assert find_target(every, "board", spaces=["fbnet"])["id"] == "tboard", "a device measures networks of any space"
    assert find_target(tables, None, spaces=["fbnet"])["id"] == "tfbnet"
    for spaces in ([], ["fbnet", "nasbench201"], ["mnasnet"]):
        with pytest.raises(InputError, match=r"tfbnet.*tnasbench201"):
            find_target(every, "pixel3", spaces=spaces)
    assert find_target(every, "tfbnet", spaces=["nasbench201"])["id"] == "tfbnet", "who names an id means it"


def test_the_only_offered_target_of_several_is_meant() -> None:
    offered = [{**target, "offered": target["id"] == "aacc"} for target in TARGETS]
    assert find_target(offered, None)["id"] == "aacc"
    assert find_target(offered, "pi")["id"] == "aacc"
    assert find_target(offered, "aabb")["id"] == "aabb"


def test_what_cannot_be_guessed_at_is_named_by_words_that_fit_one_target_alone() -> None:
    offered = [{**target, "offered": target["id"] == "aacc"} for target in TARGETS]
    assert named_target(offered, "PI 4") == "aacc"
    assert named_target(offered, "aabb") == "aabb"
    with pytest.raises(InputError, match=r"fit 'pi'; name one by its id: aabb \(pi, onnxruntime 1 thread\); aacc"):
        named_target(offered, "pi")
    assert named_target(offered, "zzz") == "zzz"


def test_messages_describe_the_targets_that_there_are() -> None:
    many = [{"id": f"t{number}", "device_name": "pi", "label": "onnxruntime", "offered": True} for number in range(25)]
    with pytest.raises(UnknownNameError, match=r"Known: t0 \(pi, onnxruntime\)\."):
        find_target(many[:1], "pixel")
    with pytest.raises(InputError, match=r"t19 \(pi, onnxruntime\); and 5 more\.$"):
        find_target(many, "pi")
