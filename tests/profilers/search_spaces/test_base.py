"""What a search space is by default."""

import pytest

from latcast.schema import UnknownNameError
from profilers.search_spaces import get_space


def test_a_space_formats_what_it_parses_and_nothing_is_dead() -> None:
    zoo = get_space("zoo")
    architecture = zoo.parse(zoo.example)
    assert zoo.format(architecture) == architecture.text
    assert zoo.canonical(zoo.example) == architecture.text
    assert not zoo.is_degenerate(architecture)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("ofa", "ofa_mbv3"),
        ("OFA-MBV3", "ofa_mbv3"),
        ("NAS-Bench-201", "nasbench201"),
        ("nb201", "nasbench201"),
        ("FBNet", "fbnet"),
    ],
)
def test_names_that_people_use(spelling: str, name: str) -> None:
    assert get_space(spelling) is get_space(name)


@pytest.mark.parametrize("name", ["", "nasbench101", "x" * 10_000, "-"])
def test_other_names_are_none(name: str) -> None:
    with pytest.raises(UnknownNameError, match="nasbench201"):
        get_space(name)
