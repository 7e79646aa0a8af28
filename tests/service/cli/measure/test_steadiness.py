"""Whether a measurement is to be believed, in few words."""

import pytest

from latcast.schema import Environment
from service.cli.measure.steadiness import steadiness

OFTEN = Environment(time_unix_s=1.0, quota_throttled_share=0.4)


@pytest.mark.parametrize(
    ("noisy", "after", "said"),
    [
        (False, None, "steady"),
        (False, Environment(time_unix_s=1.0, quota_throttled_share=0.0), "steady"),
        (True, Environment(time_unix_s=1.0), "noisy: the machine was busy"),
        (True, OFTEN, "noisy: CPU quota in 40% of periods"),
        (False, OFTEN, "noisy: CPU quota in 40% of periods"),
    ],
)
def test_the_quota_is_named_before_other_reasons(noisy: bool, after: Environment | None, said: str) -> None:
    assert steadiness("machine", noisy=noisy, after=after) == said
