"""Forecasts for search loops: networks in, columns out, asked for in parts, remembered while nothing changes."""

from latcast.loops.forecasts import Forecasts
from latcast.loops.target import AsyncRemoteTarget, RemoteTarget

__all__ = ["AsyncRemoteTarget", "Forecasts", "RemoteTarget"]
