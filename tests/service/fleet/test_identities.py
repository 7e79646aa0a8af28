"""Who called a moment ago is remembered until keys change."""

from types import SimpleNamespace
from typing import Any

from service.fleet.access import Principal
from service.fleet.identities import Identities


class Look:
    """What `Changes` shows."""

    def __init__(self) -> None:
        self.of_keys, self.reachable = 1, True


def made() -> tuple[Identities, Any]:
    look: Any = Look()
    uses: Any = SimpleNamespace(note=lambda _key_id: None)
    return Identities(look, uses), look


def test_a_caller_is_known_while_no_key_changed() -> None:
    identities, look = made()
    caller = Principal(scope="client", key_id="k")
    assert identities.known("secret") is None
    identities.remember("secret", caller, generation=1)
    identities.remember(None, Principal(), generation=1)
    assert identities.known("secret") is caller
    assert identities.known("Secret") is None
    assert identities.known(None) == Principal()
    look.of_keys = 2
    assert identities.known("secret") is None


def test_what_was_read_before_a_change_is_out_of_date() -> None:
    identities, look = made()
    look.of_keys = 5
    identities.remember("secret", Principal(), generation=4)
    assert identities.known("secret") is None


def test_nobody_is_known_without_the_database_or_after_keys_changed() -> None:
    identities, look = made()
    identities.remember("secret", Principal(), generation=1)
    look.reachable = False
    assert identities.known("secret") is None
    look.reachable = True
    identities.forget()
    assert identities.known("secret") is None


def test_the_first_call_with_an_agents_key_is_none_to_remember() -> None:
    identities, _ = made()
    identities.remember("secret", Principal(scope="agent", first_call=True), generation=1)
    assert identities.known("secret") is None
