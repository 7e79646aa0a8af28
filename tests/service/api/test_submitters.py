"""Callers ask for jobs under their key, and with a priority above 0 as admins alone."""

import pytest

from latcast.errors import ForbiddenError
from service.api.submitters import submitter_of
from service.fleet.access import Principal
from service.jobs.turns import Submitter
from tests.service.helpers import TARGET, World


def test_a_submitter_is_the_key_with_its_priority() -> None:
    assert submitter_of(Principal(scope="measure", key_id="k"), -5) == Submitter("k", -5)
    assert submitter_of(Principal(scope="admin", key_id="a"), 5) == Submitter("a", 5)
    assert submitter_of(Principal(), 5) == Submitter(None, 5)
    with pytest.raises(ForbiddenError, match="scope admin"):
        submitter_of(Principal(scope="measure", key_id="k"), 1)


def test_jobs_tell_whose_they_are(keyed: tuple[World, dict[str, str]]) -> None:
    world, keys = keyed
    measurer, graph = world.client_with(keys["measure"]), world.graph()
    (job,) = measurer.profile(TARGET.id, graphs=[graph], priority=-2)
    adaptation = measurer.adapt(TARGET.id, samples=2, priority=-2)
    (key_id,) = [key["id"] for key in world.client.api_keys() if key["scope"] == "measure"]
    for made in (job, adaptation):
        assert (made["key"], made["priority"]) == (key_id, -2)
    with pytest.raises(ForbiddenError):
        measurer.profile(TARGET.id, graphs=[graph], priority=1)
