"""Pauses grow up to a limit, and no two agents have the same."""

from profilers.agent.backoff import FIRST_PAUSE_S, LONGEST_PAUSE_S, Backoff


def test_pauses_double_up_to_half_a_minute() -> None:
    backoff = Backoff()
    pauses = [backoff.pause_s() for _ in range(12)]
    for place, pause_s in enumerate(pauses):
        length_s = min(FIRST_PAUSE_S * 2**place, LONGEST_PAUSE_S)
        assert length_s / 2 <= pause_s <= length_s


def test_agents_do_not_return_all_at_once() -> None:
    assert len({Backoff().pause_s() for _ in range(20)}) > 15
