"""The former path of `latcast.errors`; it goes with version 0.3."""

import warnings

from latcast.errors import *  # noqa: F403 - everything that was here

warnings.warn(
    "service.errors is now latcast.errors; the old path goes with latcast 0.3.", DeprecationWarning, stacklevel=2
)
