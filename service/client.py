"""The former path of `latcast.client`; it goes with version 0.3."""

import warnings

from latcast.client import *  # noqa: F403 - everything that was here

warnings.warn(
    "service.client is now latcast.client; the old path goes with latcast 0.3.", DeprecationWarning, stacklevel=2
)
