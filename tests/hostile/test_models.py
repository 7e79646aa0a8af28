"""Hostile models: each is forecast with finite numbers, or refused with a sentence, within bounds of memory."""

import pytest

from tests.hostile.entry import Entry, parameters, require_contained, try_out
from tests.hostile.models import ENTRIES
from tests.hostile.served import Served


@pytest.mark.slow
@pytest.mark.parametrize("entry", parameters(ENTRIES))
def test_models_are_contained(served: Served, entry: Entry) -> None:
    require_contained(entry, try_out(served, entry))
