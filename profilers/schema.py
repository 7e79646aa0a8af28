"""The former path of `latcast.schema`; it goes with version 0.3."""

import warnings

from latcast.schema import *  # noqa: F403 - everything that was here

warnings.warn(
    "profilers.schema is now latcast.schema; the old path goes with latcast 0.3.", DeprecationWarning, stacklevel=2
)
