"""Hostile bodies: each is answered, or refused with a sentence, without taking the service's memory or event loop."""

import pytest

from tests.hostile.bodies import ENTRIES
from tests.hostile.entry import Entry, parameters, require_contained, try_out
from tests.hostile.served import Served


@pytest.mark.slow
@pytest.mark.parametrize("entry", parameters(ENTRIES))
def test_bodies_are_contained(served: Served, entry: Entry) -> None:
    require_contained(entry, try_out(served, entry))
