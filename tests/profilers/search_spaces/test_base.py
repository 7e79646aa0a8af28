"""What a search space is by default."""

from profilers.search_spaces import get_space


def test_a_space_formats_what_it_parses_and_nothing_is_dead() -> None:
    zoo = get_space("zoo")
    architecture = zoo.parse(zoo.example)
    assert zoo.format(architecture) == architecture.text
    assert zoo.canonical(zoo.example) == architecture.text
    assert not zoo.is_degenerate(architecture)
