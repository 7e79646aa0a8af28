"""Fields of texts: what is parsed, refused and drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.search_spaces.fields import Choice, Integer

WIDTH = Integer(name="width", low=16, high=256, default=64, multiple=16)
KERNEL = Choice(name="kernel", values=(3, 5, 7), default=3, weights=(8, 1, 1))
WORD = Choice(name="word", values=("a", "b", "c"), default="a")


NO_WIDTHS = ["", "0", "8", "24", "272", "+32", "3_2", " 32", "032", "32.0", "1e2", "²", "٣٢", "9" * 40]


@pytest.mark.parametrize("text", NO_WIDTHS)
def test_what_is_no_allowed_integer_is_refused(text):
    assert WIDTH.parse(text) is None


def test_allowed_values_are_parsed():
    assert [WIDTH.parse(str(value)) for value in (16, 32, 256)] == [16, 32, 256]
    assert KERNEL.parse("5") == 5
    assert KERNEL.parse("4") is None
    assert WORD.parse("b") == "b"


@given(st.integers(0, 2**32))
def test_draws_are_allowed_values(seed):
    rng = np.random.default_rng(seed)
    for field in (WIDTH, KERNEL, WORD, Integer(name="n", low=1, high=100, default=1, favoured=8)):
        assert field.parse(str(field.sample(rng))) is not None


@given(st.integers(1, 16))
def test_steps_are_allowed_and_others(step):
    value = 16 * step
    steps = WIDTH.steps(value)
    assert value not in steps
    assert len(set(steps)) == len(steps) >= 1
    assert all(WIDTH.parse(str(other)) == other for other in steps)


def test_steps_of_choices():
    assert KERNEL.steps(3) == (5,)
    assert KERNEL.steps(5) == (3, 7)
    assert WORD.steps("b") == ("a", "c")


def test_draws_are_log_uniform_and_favour_multiples():
    rng = np.random.default_rng(0)
    channels = Integer(name="channels", low=1, high=2048, default=64, favoured=8)
    drawn = np.array([channels.sample(rng) for _ in range(4000)])
    assert 30 < np.median(drawn) < 60
    assert 0.7 < np.mean(drawn[drawn > 64] % 8 == 0) < 0.85


def test_weights_say_how_often_a_value_is_drawn():
    rng = np.random.default_rng(0)
    drawn = [KERNEL.sample(rng) for _ in range(1000)]
    assert 0.75 < drawn.count(3) / 1000 < 0.85


def test_encoding_spans_zero_to_one():
    assert (WIDTH.encode(16), WIDTH.encode(256)) == (0.0, 1.0)
    assert WIDTH.encode(64) == pytest.approx(0.5)
    assert [KERNEL.encode(value) for value in (3, 5, 7)] == [0.0, 0.5, 1.0]
