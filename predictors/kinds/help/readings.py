"""How HELP reads networks and latencies: cells as its paper does, other networks by embeddings of a graph network.

A reading says what the regressor is shown of a network, by which references a device is described, and how its
normalised labels become milliseconds: ms = to_ms(max(floor, start + slope · label + intercept)).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import DeviceEvidence, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray, LatencyDataset, Progress, Query
from predictors.data.splits import row_keys
from predictors.features.cells import cell_architectures, help_arrays
from predictors.features.descriptors import DescriptorReader
from predictors.features.references import (
    architecture_of,
    common_references,
    min_max,
    reference_key,
    reference_latencies,
)
from predictors.kinds.network_encoders import CellEncoder, Encoded, GraphEncoder, NetworkEncoder, stored_encoder

__all__ = [
    "PORTION",
    "CellReading",
    "GraphReading",
    "Line",
    "Measured",
    "Networks",
    "Reading",
    "TargetRows",
    "stored_reading",
]

PORTION = 0.9
"""Labels of a target's usual range lie in 0.05–0.95, as in the authors' code."""
MIDDLE = 0.5
"""Labels lie around it."""
_DEVIATIONS = 4.0
"""Standard deviations of graphs' log latencies that the labels' unit spans."""
_LEAST_SHARE = 1e-4
"""Share of the smallest measured latency below which no graph is forecast."""


class Line(NamedTuple):
    """Scale of the labels, from normalised ones to those of the reading: ms for cells, logarithms of ms for graphs."""

    slope: float
    intercept: float
    floor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Inputs of the regressor, of n networks.

    Args:
        arrays: float32, (n, …) each.
        start: float64 (n,), what is added to its output, on the scale of the reading.
    """

    arrays: tuple[NDArray[np.float32], ...]
    start: FloatArray

    def part(self, rows: Sequence[int]) -> "Networks":
        """Some of the networks."""
        return Networks(arrays=tuple(array[rows] for array in self.arrays), start=self.start[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRows:
    """Labels and description of one target of training.

    Args:
        networks: intp (n,), the place of each row's network among the different ones.
        labels: float64 (n,), normalised latencies.
        line: by which they were normalised.
        embedding: float64 (r,), of the hardware, by its latencies on the references.
    """

    networks: NDArray[np.intp]
    labels: FloatArray
    line: Line
    embedding: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A device as an adaptation sees it.

    Args:
        embedding: float64 (r,), of the hardware, by its latencies on the references.
        unit_ms: geometric mean of these, in ms.
        networks: those that were measured there, references included.
        latency_ms: float64 (n,), of these.
    """

    embedding: FloatArray
    unit_ms: float
    networks: Networks
    latency_ms: FloatArray


class Reading(Protocol):
    """Reads networks and latencies; what it learned of them does not change any more."""

    @property
    def is_graph(self) -> bool:
        """Whether the first array has nodes, and the second one what they are joined to."""
        ...

    @property
    def encoder(self) -> NetworkEncoder:
        """Says which networks it reads."""
        ...

    @property
    def references(self) -> tuple[str, ...]:
        """Keys of the architectures by which devices are described."""
        ...

    @property
    def features(self) -> int:
        """Features of each node, or of the flat array."""
        ...

    def networks(self, queries: Sequence[Query]) -> Networks:
        """Inputs of the regressor, of the queries' networks.

        Raises:
            UnsupportedGraphError: a query that it does not read.
        """
        ...

    def targets(self, data: LatencyDataset, *, trim: float) -> tuple[Networks, dict[TargetId, TargetRows]]:
        """Different networks of the training set, and what each target teaches.

        Args:
            data: rows of several targets, all with the reference latencies as evidence.
            trim: share of rows at each end of a target's latencies that are left out.
        """
        ...

    def measured(self, target: TargetId, support: LatencyDataset, evidence: DeviceEvidence | None) -> Measured:
        """A device by its references and its rows.

        Raises:
            MissingEvidenceError: references were not measured.
        """
        ...

    def line_before(self, labels: FloatArray, measured: Measured) -> Line:
        """The line by which measured latencies become labels to adapt to.

        Args:
            labels: float64 (n,), of the measured networks before the adaptation.
            measured: the device.
        """
        ...

    def line_after(self, labels: FloatArray, measured: Measured, before: Line) -> Line:
        """The line of forecasts.

        Args:
            labels: float64 (n,), of the measured networks after the adaptation.
            measured: the device.
            before: the line that they were adapted by.
        """
        ...

    def labels(self, measured: Measured, line: Line) -> FloatArray:
        """Labels of the measured networks, float64 (n,)."""
        ...

    def latency_ms(self, labels: FloatArray, start: FloatArray, line: Line) -> FloatArray:
        """Latencies of networks in ms, float64 (n,)."""
        ...

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays for an artifact."""
        ...

    def vocabulary(self) -> dict[str, object]:
        """What the artifact has to say beside them."""
        ...


def _distinct(data: LatencyDataset) -> tuple[list[int], NDArray[np.intp]]:
    """The first row of each network, and the place of each row's network among them."""
    keys = row_keys(data)
    first = {key: place for place, key in reversed(list(enumerate(keys)))}
    places = {key: place for place, key in enumerate(sorted(first, key=first.__getitem__))}
    return sorted(first.values()), np.array([places[key] for key in keys], dtype=np.intp)


# --- Cells: the paper's arrays, latencies in ms scaled by their usual range ----------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReading:
    """Architectures of one search space; labels are latencies between the ends of a target's usual range.

    Args:
        encoder: of the space.
        references: keys of reference architectures.
    """

    encoder: CellEncoder
    references: tuple[str, ...]

    @classmethod
    def fit(cls, data: LatencyDataset) -> Self:
        """The reading of the rows' space.

        Raises:
            MissingEvidenceError: the targets have fewer than two references in common.
            InputError: the rows are of several spaces.
        """
        return cls(encoder=CellEncoder.fit(data), references=common_references(data))

    @property
    def is_graph(self) -> bool:
        """Whether the space's cells are graphs, rather than chains."""
        return len(self._reference_arrays()) > 1

    @property
    def features(self) -> int:
        """Features of each node, or of the flat array."""
        return int(self._reference_arrays()[0].shape[-1])

    def networks(self, queries: Sequence[Query]) -> Networks:
        """The arrays of the paper; nothing is added to what the regressor makes of them."""
        arrays = help_arrays(cell_architectures(queries, self.encoder.space))
        return Networks(arrays=arrays, start=np.zeros(len(queries)))

    def targets(self, data: LatencyDataset, *, trim: float) -> tuple[Networks, dict[TargetId, TargetRows]]:
        """Rows without both tails, with min-max scaled reference latencies as embeddings."""
        first, places = _distinct(data)
        found = {}
        for target, rows in data.targets().items():
            kept = _trimmed(data.latency_ms, rows, trim)
            line = self._range_line(data.latency_ms[kept])
            known_ms = reference_latencies(self.references, data.subset([]), target)
            found[target] = TargetRows(
                networks=places[kept],
                labels=(data.latency_ms[kept] - line.intercept) / line.slope,
                line=line,
                embedding=min_max(known_ms),
            )
        return self.networks([data.queries[row] for row in first]), found

    def measured(self, target: TargetId, support: LatencyDataset, evidence: DeviceEvidence | None) -> Measured:
        """The references, and the rows that are none of them."""
        known_ms = reference_latencies(self.references, support, target, evidence)
        rows, keys = cell_architectures(support.queries, self.encoder.space), row_keys(support)
        extra = [place for place, key in enumerate(keys) if key not in set(self.references)]
        measured = [*(architecture_of(key) for key in self.references), *(rows[place] for place in extra)]
        return Measured(
            embedding=min_max(known_ms),
            unit_ms=float(np.exp(np.log(known_ms).mean())),
            networks=Networks(arrays=help_arrays(measured), start=np.zeros(len(measured))),
            latency_ms=np.concatenate([known_ms, support.latency_ms[extra]]),
        )

    def line_before(self, labels: FloatArray, measured: Measured) -> Line:
        """Least squares of the error."""
        return self._line_through(labels, measured.latency_ms, np.ones_like(labels))

    def line_after(self, labels: FloatArray, measured: Measured, before: Line) -> Line:
        """Least squares of the relative error."""
        return self._line_through(labels, measured.latency_ms, 1 / measured.latency_ms)

    def labels(self, measured: Measured, line: Line) -> FloatArray:
        """Latencies on the line."""
        return (measured.latency_ms - line.intercept) / line.slope

    def latency_ms(self, labels: FloatArray, start: FloatArray, line: Line) -> FloatArray:
        """Labels on the line, not below its floor."""
        return np.maximum(start + line.slope * labels + line.intercept, line.floor)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Those of the encoder."""
        return self.encoder.to_arrays()

    def vocabulary(self) -> dict[str, object]:
        """The space and the references."""
        return {**self.encoder.vocabulary(), "references": list(self.references)}

    def _reference_arrays(self) -> tuple[NDArray[np.float32], ...]:
        return help_arrays([architecture_of(self.references[0])])

    @staticmethod
    def _range_line(latency_ms: FloatArray) -> Line:
        """The line on which the latencies' range spans `PORTION` of the labels; of equal ones all labels are equal."""
        if len(latency_ms) == 0:
            return Line(1.0, 0.0, 0.0)
        low, high = float(latency_ms.min()), float(latency_ms.max())
        slope = (high - low) / PORTION or 1.0
        return Line(slope, low - slope * (1 - PORTION) / 2, 0.1 * low)

    @classmethod
    def _line_through(cls, labels: FloatArray, measured_ms: FloatArray, weights: FloatArray) -> Line:
        """Weighted least squares; where that does not rise, the range of the rows."""
        design = np.stack([labels, np.ones_like(labels)], axis=1) * weights[:, None]
        slope, intercept = np.linalg.lstsq(design, measured_ms * weights, rcond=None)[0]
        if slope <= 1e-6 * measured_ms.mean():
            low, high = np.quantile(measured_ms, (0.1, 0.9))
            slope, intercept, _ = cls._range_line(np.array([low, max(high, 1.1 * low)]))
        return Line(float(slope), float(intercept), 0.1 * float(measured_ms.min()))


def _trimmed(latency_ms: FloatArray, rows: Sequence[int], trim: float) -> NDArray[np.intp]:
    """The rows without both tails, the fastest first."""
    places = np.array(rows, dtype=np.intp)
    order = places[np.argsort(latency_ms[places], kind="stable")]
    return order[int(len(order) * trim) : int(len(order) * (1 - trim))]


# --- Graphs: frozen embeddings, log latencies in the unit of the references ----------------------------------------


class GraphReading:
    """Any networks by a graph network that was trained on the same rows; labels are log latencies without its forecast.

    Latencies of graphs differ by four orders of magnitude, so that labels are logarithms, in the unit that the
    references' geometric mean gives.

    Args:
        encoder: frozen.
        reader: of the references.
        level: mean over training of what log latency in the device's unit is above the graph network's forecast.
        spread: log latency of a label of 1 less that of 0.
        anchors: references that occur in training, encoded: their rows join every support.
        anchor_names: keys of these.
    """

    is_graph: ClassVar[bool] = False

    def __init__(
        self,
        encoder: GraphEncoder,
        reader: DescriptorReader,
        *,
        level: float,
        spread: float,
        anchors: Encoded,
        anchor_names: tuple[str, ...],
    ) -> None:
        self.encoder, self.reader = encoder, reader
        self.level, self.spread = level, spread
        self.anchors, self.anchor_names = anchors, anchor_names

    @classmethod
    def fit(
        cls, data: LatencyDataset, *, epochs: int, width: int, layers: int, seed: int, progress: Progress | None = None
    ) -> Self:
        """Train the graph network.

        Raises:
            MissingEvidenceError: the targets have fewer than two references in common.
            InputError: too few different networks.
        """
        reader = DescriptorReader.fit(data, "reference_latency_ms")
        encoder = GraphEncoder.fit(data, epochs=epochs, width=width, layers=layers, seed=seed, progress=progress)
        named = {reference_key(one.architecture): one for one in data.queries if one.architecture is not None}
        anchors = tuple(key for key in reader.names if key in named)
        encoded = encoder.encode([named[key] for key in anchors]) if anchors else Encoded.nothing(encoder.width)
        reading = cls(encoder, reader, level=0.0, spread=1.0, anchors=encoded, anchor_names=anchors)
        _, targets = reading.targets(data, trim=0.0)
        left = np.concatenate([rows.labels for rows in targets.values()]) - MIDDLE
        reading.level, reading.spread = float(left.mean()), _DEVIATIONS * float(left.std()) or 1.0
        return reading

    @property
    def references(self) -> tuple[str, ...]:
        """Keys of the networks by which devices are described."""
        return self.reader.names

    @property
    def features(self) -> int:
        """Width of an embedding."""
        return self.encoder.width

    def networks(self, queries: Sequence[Query]) -> Networks:
        """Embeddings, beside the graph network's forecast, which the regressor's output is added to."""
        return self._shown(self.encoder.encode(queries))

    def targets(self, data: LatencyDataset, *, trim: float) -> tuple[Networks, dict[TargetId, TargetRows]]:
        """All rows, tails as well: of graphs there are few, and logarithms have no long tails."""
        first, places = _distinct(data)
        networks = self.networks([data.queries[row] for row in first])
        found = {}
        for target, rows in data.targets().items():
            described = self.reader.read(data.subset([]), target, data.evidence.get(target))
            line = self._line(described.unit_ms, data.latency_ms[rows])
            left = np.log(data.latency_ms[rows]) - networks.start[places[rows]]
            found[target] = TargetRows(
                networks=places[rows],
                labels=(left - line.intercept) / line.slope,
                line=line,
                embedding=described.vector,
            )
        return networks, found

    def measured(self, target: TargetId, support: LatencyDataset, evidence: DeviceEvidence | None) -> Measured:
        """The rows, and the references that are evidence alone."""
        described = self.reader.read(support, target, evidence)
        rows = self.encoder.encode(support.queries) if len(support) else Encoded.nothing(self.features)
        present = {reference_key(one.architecture) for one in support.queries if one.architecture is not None}
        stated = {**_stated(support.evidence.get(target)), **_stated(evidence)}
        extra = [place for place, key in enumerate(self.anchor_names) if key in stated and key not in present]
        anchors = self.anchors.part(np.array(extra, dtype=np.intp))
        latency_ms = np.array([*support.latency_ms, *(stated[self.anchor_names[place]] for place in extra)])
        together = Encoded(
            features=np.concatenate([rows.features, anchors.features]),
            start=np.concatenate([rows.start, anchors.start]),
        )
        return Measured(
            embedding=described.vector,
            unit_ms=described.unit_ms,
            networks=self._shown(together),
            latency_ms=latency_ms,
        )

    def line_before(self, labels: FloatArray, measured: Measured) -> Line:
        """The line in the unit of the references."""
        return self._line(measured.unit_ms, measured.latency_ms)

    def line_after(self, labels: FloatArray, measured: Measured, before: Line) -> Line:
        """The same with another level: the mean error of the measured networks, and one row without an error."""
        errors = np.log(measured.latency_ms) - measured.networks.start - before.slope * labels - before.intercept
        return before._replace(intercept=before.intercept + float(errors.sum()) / (len(errors) + 1))

    def labels(self, measured: Measured, line: Line) -> FloatArray:
        """What the logarithms are above the graph network's forecasts, on the line."""
        left = np.log(measured.latency_ms) - measured.networks.start
        return (left - line.intercept) / line.slope

    def latency_ms(self, labels: FloatArray, start: FloatArray, line: Line) -> FloatArray:
        """Of the logarithms on the line, not below its floor."""
        return np.exp(np.maximum(start + line.slope * labels + line.intercept, line.floor))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Those of the encoder, and what was learned of references and labels."""
        return {
            **self.encoder.to_arrays(),
            "reading.centre": self.reader.centre,
            "reading.spread": self.reader.spread,
            "reading.labels": np.array([self.level, self.spread]),
            "reading.anchors": np.column_stack([self.anchors.features, self.anchors.start]),
        }

    def vocabulary(self) -> dict[str, object]:
        """The references, and those of them that occur in training."""
        return {
            **self.encoder.vocabulary(),
            "references": list(self.references),
            "anchors": list(self.anchor_names),
        }

    @classmethod
    def stored(cls, artifact: Artifact, encoder: GraphEncoder) -> Self:
        """The reading whose arrays and vocabulary went into the artifact."""
        level, spread = (float(value) for value in artifact.array("reading.labels", ndim=1))
        anchors = artifact.array("reading.anchors", ndim=2)
        reader = DescriptorReader(
            kind="reference_latency_ms",
            names=tuple(artifact.vocabulary_entry("references")),
            centre=artifact.array("reading.centre", ndim=1),
            spread=artifact.array("reading.spread", ndim=1),
        )
        return cls(
            encoder,
            reader,
            level=level,
            spread=spread,
            anchors=Encoded(features=anchors[:, :-1], start=anchors[:, -1]),
            anchor_names=tuple(artifact.vocabulary_entry("anchors")),
        )

    def _shown(self, encoded: Encoded) -> Networks:
        return Networks(arrays=(encoded.features.astype(np.float32),), start=encoded.start)

    def _line(self, unit_ms: float, latency_ms: FloatArray) -> Line:
        """The line on which labels are around `MIDDLE`."""
        smallest = min([unit_ms, *latency_ms.tolist()])
        intercept = float(np.log(unit_ms)) + self.level - MIDDLE * self.spread
        return Line(self.spread, intercept, float(np.log(_LEAST_SHARE * smallest)))


def _stated(evidence: DeviceEvidence | None) -> dict[str, float]:
    return dict(evidence.reference_latency_ms) if evidence else {}


def stored_reading(artifact: Artifact) -> Reading:
    """The reading whose arrays and vocabulary went into the artifact.

    Raises:
        ArtifactError: something is missing, or of another version.
    """
    encoder = stored_encoder(artifact)
    if isinstance(encoder, GraphEncoder):
        return GraphReading.stored(artifact, encoder)
    assert isinstance(encoder, CellEncoder)  # noqa: S101 - there are two
    return CellReading(encoder=encoder, references=tuple(artifact.vocabulary_entry("references")))
