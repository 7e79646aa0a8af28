"""The SDK (`from latcast import Client`) and the vocabulary that every part of the project speaks.

It imports nothing of `service`, `predictors` or `profilers`: people's own projects have folders of those names.
"""

from latcast.client import Client, item

__all__ = ["Client", "item"]
