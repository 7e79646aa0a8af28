"""Whether a measurement is to be believed, in few words, for tables."""

from latcast.schema import Environment
from profilers.host.environment import stopped_by_quota

__all__ = ["steadiness"]


def steadiness(what: str, *, noisy: bool, after: Environment | None) -> str:
    """`steady`, or why a measurement is noisy.

    Args:
        what: was measured on, as `machine`.
        noisy: the measurement's flag.
        after: the host's state at its end.
    """
    if after is not None and stopped_by_quota(after):
        return f"noisy: CPU quota in {after.quota_throttled_share:.0%} of periods"
    return f"noisy: the {what} was busy" if noisy else "steady"
