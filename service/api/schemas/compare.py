"""Bodies of what compares networks on a target, and targets with each other."""

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.rows import FacetOut, ScatterOut
from service.measurements.pages import MeasurementSummary

__all__ = ["ComparisonOut", "FrontierOut", "FrontierRow", "GroupRatioOut", "MovedOut", "NetworkPairOut",
           "OperatorRatioOut"]  # fmt: skip


class NetworkPairOut(BaseModel):
    """A network that was measured on both targets; of each two values the first is of `a`, the second of `b`."""

    model_config = ConfigDict(from_attributes=True)
    rows: tuple[int, int] = Field(description="Ids of the measurements that represent it.")
    ms: tuple[float, float]
    ranks: tuple[int, int] = Field(description="Its place among the networks on both, from 1 for the fastest.")
    family: str = Field(description="Empty where the network is of no search space.")


class MovedOut(NetworkPairOut):
    """One that the two rank most differently."""

    graph: str | None
    text: str | None


class GroupRatioOut(BaseModel):
    """A family of networks."""

    model_config = ConfigDict(from_attributes=True)
    name: str
    ratio: float = Field(description="Median of latency on `b` over latency on `a`.")
    count: int


class OperatorRatioOut(BaseModel):
    """An operator, over the networks whose kernels were timed on both."""

    model_config = ConfigDict(from_attributes=True)
    name: str
    shares: tuple[float, float] = Field(description="Of the time of all these networks, on `a` and `b`.")
    ratio: float = Field(description="Median over networks of its time on `b` over its time on `a`.")
    relative: float = Field(description="`ratio` over that of all kernels: above 1 it is dearer on `b` than others.")
    count: int = Field(description="Networks that have it on both.")


class ComparisonOut(BaseModel):
    """Two targets over the networks that were measured on both; ratios are `b` over `a`."""

    a: str
    b: str
    networks: int
    ratio: float | None = Field(description="Median; null without a network on both.")
    spearman: float | None = Field(description="Rank correlation of the latencies; null for fewer than two.")
    near: float | None = Field(description="Share of networks whose ratio is within 20 % of the median.")
    families: list[GroupRatioOut] = Field(description="Of two networks or more, the dearest on `b` first.")
    operators: list[OperatorRatioOut] = Field(description="The dearest on `b` first.")
    kernel_networks: int = Field(description="Networks whose kernels were timed on both, at most 300 of them.")
    pairs: list[NetworkPairOut] = Field(description="At most 5,000, evenly spread over the latencies on `a`.")
    moved: list[MovedOut] = Field(description="The ten that the two rank most differently.")


class FrontierRow(BaseModel):
    """A network on the front."""

    row: MeasurementSummary
    flops: float = Field(description="Of one run.")


class FrontierOut(BaseModel):
    """The networks of a search space that no other one beats in both latency and work."""

    spaces: list[FacetOut] = Field(description="Search spaces of which networks were measured, by number of rows.")
    space: str = Field(description="The one that is answered for; empty where there is none.")
    networks: int = Field(description="Of it, each by the steady measurement that represents it.")
    items: list[FrontierRow] = Field(description="The fastest first.")
    scatter: ScatterOut = Field(description="All of these networks.")
