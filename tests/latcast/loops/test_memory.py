"""What a loop remembers: by space and level, until the target's state is another."""

from latcast.loops.memory import AnswerMemory

ROW, OTHER = (1.0, 0.5, 2.0, False, 1.0), (2.0, 1.0, 4.0, False, 1.0)


def test_rows_are_kept_while_the_state_is_the_same() -> None:
    memory = AnswerMemory(fresh_s=0.0, settle_s=0.0)
    memory.saw("a")
    memory.learn("toy", 0.9, {"x": ROW}, {"kind": "k"})
    assert memory.needs_look
    memory.saw("a")
    assert memory.missing("toy", 0.9, ["y", "x", "y"]) == ["y"]
    assert memory.rows("toy", 0.9, ["x", "y"], {"y": OTHER}) == ([ROW, OTHER], {"kind": "k"})
    memory.saw("b")
    assert memory.missing("toy", 0.9, ["x"]) == ["x"]


def test_space_and_level_are_told_apart() -> None:
    memory = AnswerMemory()
    memory.saw("a")
    memory.learn("toy", 0.9, {"x": ROW}, {})
    assert memory.missing("toy", 0.8, ["x"]) == memory.missing("other", 0.9, ["x"]) == ["x"]
    assert memory.rows("toy", 0.8, ["x"], {})[0] is None


def test_a_state_that_nobody_says_is_never_the_same() -> None:
    memory = AnswerMemory()
    memory.saw(None)
    memory.learn("toy", 0.9, {"x": ROW}, {})
    memory.saw(None)
    assert memory.missing("toy", 0.9, ["x"]) == ["x"]


def test_a_look_is_good_for_a_while() -> None:
    memory = AnswerMemory(fresh_s=3600.0, settle_s=0.0)
    assert memory.needs_look
    memory.saw("a")
    assert not memory.needs_look
    memory.expire()
    assert memory.needs_look


def test_right_after_a_change_nothing_is_kept_for_long() -> None:
    memory = AnswerMemory(settle_s=3600.0)
    memory.saw("a")
    memory.learn("toy", 0.9, {"x": ROW}, {})
    assert memory.needs_look
    memory.saw("a")
    assert memory.missing("toy", 0.9, ["x"]) == ["x"]


def test_too_many_rows_are_forgotten() -> None:
    memory = AnswerMemory(most_rows=2)
    memory.saw("a")
    memory.learn("toy", 0.9, {"x": ROW, "y": ROW}, {})
    memory.learn("toy", 0.9, {"z": OTHER}, {})
    assert memory.missing("toy", 0.9, ["x", "y", "z"]) == ["x", "y"]
