"""Bodies of what is listed and counted of a target's measurements."""

from pydantic import BaseModel, ConfigDict, Field

from service.measurements.pages import MeasurementSummary

__all__ = ["BinsOut", "FacetOut", "HistogramOut", "RowsOut", "ScatterOut", "SeriesOut"]


class RowsOut(BaseModel):
    """One page of the rows that a filter leaves."""

    items: list[MeasurementSummary]
    offset: int
    matched: int = Field(description="Rows that the filter leaves.")
    total: int = Field(description="Rows of the target.")


class HistogramOut(BaseModel):
    """How often a quantity lies between two edges."""

    model_config = ConfigDict(from_attributes=True)
    quantity: str
    logarithmic: bool
    edges: list[float]
    counts: list[int] = Field(description="Of the rows that the filter leaves.")
    totals: list[int] = Field(description="Of all rows of the target.")
    unknown: int = Field(description="Rows of which the quantity is not known.")


class ScatterOut(BaseModel):
    """Latency in ms over FLOPs: points, or counts on a grid where there are more than 5,000."""

    model_config = ConfigDict(from_attributes=True)
    points: list[tuple[int, float, float, bool]] | None = Field(description="[id, FLOPs, ms, noisy] of each row.")
    x_edges: list[float]
    y_edges: list[float]
    counts: list[list[int]] = Field(description="By column, from the lowest latency up.")


class SeriesOut(BaseModel):
    """The rows over time: counts and quantiles for each span."""

    model_config = ConfigDict(from_attributes=True)
    edges_unix_s: list[float]
    counts: list[int]
    noisy: list[int]
    noise_median: list[float | None] = Field(description="Of interquartile range over median.")
    sentinel_p10_ms: list[float | None]
    sentinel_median_ms: list[float | None] = Field(description="Of a small network that is run beside each: drift.")
    sentinel_p90_ms: list[float | None]


class FacetOut(BaseModel):
    """A name that rows have in common."""

    model_config = ConfigDict(from_attributes=True)
    name: str
    label: str | None = Field(None, description="What people call it, as the device of an agent.")
    count: int
    total: int


class BinsOut(BaseModel):
    """All that charts show of the rows that a filter leaves."""

    matched: int
    total: int
    failed: int
    noisy: int
    histograms: list[HistogramOut]
    scatter: ScatterOut
    series: SeriesOut
    facets: dict[str, list[FacetOut]] = Field(description="By `family`, `space`, `operator` and `source`.")
