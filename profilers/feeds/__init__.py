"""What goes into a model's inputs: recipes that anybody can follow again, arrays, and values for inputs that steer."""

from profilers.feeds.recipes import (
    FeedArrays,
    decided_remarks,
    describe_feeds,
    feed_specs,
    load_feeds,
    make_feeds,
    read_npz,
    steering_inputs,
)

__all__ = [
    "FeedArrays",
    "decided_remarks",
    "describe_feeds",
    "feed_specs",
    "load_feeds",
    "make_feeds",
    "read_npz",
    "steering_inputs",
]
