"""The former path of the client, which is `from latcast import Client, item` now; it goes with version 0.3."""

import warnings

from latcast import Client, item

__all__ = ["Client", "item"]

warnings.warn(
    "service.client is now latcast (from latcast import Client, item); the old path goes with latcast 0.3.",
    DeprecationWarning,
    stacklevel=2,
)
