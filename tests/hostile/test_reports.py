"""Hostile reports: what was not asked for, or means nothing, is refused with a sentence and leaves the job alone."""

import pytest

from tests.hostile.entry import Entry, parameters, require_contained, try_out
from tests.hostile.reports import ENTRIES
from tests.hostile.served import Served


@pytest.mark.slow
@pytest.mark.parametrize("entry", parameters(ENTRIES))
def test_reports_are_contained(served: Served, entry: Entry) -> None:
    require_contained(entry, try_out(served, entry))
