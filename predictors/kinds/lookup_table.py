"""Layer-wise lookup table: latency as the sum of what stands at each position.

The predictor of ProxylessNAS (Cai et al., ICLR 2019, https://arxiv.org/abs/1812.00332, section 3.3) and FBNet (Wu et
al., CVPR 2019, https://arxiv.org/abs/1812.03443, section 3.3).
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np
from scipy.optimize import nnls

from latcast.schema import Architecture, DeviceEvidence, InputError, MissingEvidenceError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import Capabilities, FloatArray, LatencyDataset, Prediction, Predictor, Progress, Provenance, Query
from predictors.data.splits import dataset_digest
from predictors.features.cells import (
    FEATURE_VERSION,
    SPACES,
    cell_architectures,
    layer_one_hot,
    space_of,
    trained_share,
)

__all__ = ["LookupTablePredictor"]


class LookupTablePredictor(Predictor):
    """One entry in ms for each operator at each position, and one for the rest of the network.

    The papers fill the table by timing every layer alone on the device. Whole networks are what is measured here, so
    the entries of a training target are the non-negative ones whose sums come closest to its latencies (relative
    error). A new target starts from the mean table of the training targets, scaled to it; its own rows then move the
    entries by ridge regression, whose strength is chosen by leaving one row out.

    Args:
        strengths: of the ridge that are tried, in units of the variance that one row explains.
        seed: nothing here is random.
    """

    kind: ClassVar[str] = "lookup_table"
    capabilities: ClassVar[Capabilities] = Capabilities(inputs=frozenset({"architecture"}), spaces=SPACES)

    def __init__(self, *, strengths: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0), seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.strengths = tuple(strengths)
        self.tables_: dict[TargetId, FloatArray] | None = None
        self.adapted_: FloatArray | None = None

    def fit(
        self,
        data: LatencyDataset,
        *,
        validation: LatencyDataset | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """A table for each target; there is nothing to validate."""
        if len(data) == 0:
            raise InputError("There are no rows to learn from.")
        self.space_ = space_of(data.queries)
        design = _design(cell_architectures(data.queries))
        self.seen_ = np.asarray(design[:, 1:].any(axis=0))
        tables = dict[TargetId, FloatArray]()
        groups = data.targets()
        for done, (target, rows) in enumerate(groups.items(), start=1):
            tables[target] = _fill(design[rows], data.latency_ms[rows])
            if progress:
                progress(done / len(groups), f"table {done} of {len(groups)}")
        self.tables_, self.adapted_ = tables, None
        self.mean_ = _mean_table(tables, design)
        self.provenance_ = Provenance(dataset_digest=dataset_digest(data))
        return self

    def adapt(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None = None) -> Self:
        """Scale the mean table to the rows, then move its entries."""
        self.require_fitted("tables_")
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        design = _design(cell_architectures(support.queries, self.space_))
        shape = design @ self.mean_
        scale = float(np.median(support.latency_ms / shape))
        # Relative residuals of the scaled table, explained by relative changes of what each entry contributes.
        contributions = design * self.mean_ / shape[:, None]
        changes = _ridge(contributions, support.latency_ms / (scale * shape) - 1, self.strengths)
        adapted = copy(self)
        adapted.adapted_ = scale * self.mean_ * np.maximum(1 + changes, 0.0)
        return adapted

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Sums; before `adapt` a target that training has not seen gets the mean table."""
        self.require_fitted("tables_")
        assert self.tables_ is not None  # noqa: S101 - just checked
        if not queries:
            return Prediction(median_ms=np.empty(0))
        design = _design(cell_architectures(queries, self.space_))
        if self.adapted_ is not None:
            return Prediction(median_ms=design @ self.adapted_)
        tables = [self.tables_.get(query.target.id, self.mean_) for query in queries]
        return Prediction(median_ms=np.einsum("nd,nd->n", design, np.stack(tables)))

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of positions whose operator training has seen there."""
        self.require_fitted("tables_")
        return trained_share(self.seen_, cell_architectures(queries, self.space_))

    def fitted_capabilities(self) -> Capabilities:
        """The capabilities, with the one search space that it was fitted on."""
        self.require_fitted("tables_")
        return replace(self.capabilities, spaces=(self.space_,))

    def to_artifact(self) -> Artifact:
        """The tables."""
        self.require_fitted("tables_")
        assert self.tables_ is not None  # noqa: S101 - just checked
        arrays = {"tables": np.array(list(self.tables_.values())), "mean": self.mean_, "seen": self.seen_}
        if self.adapted_ is not None:
            arrays["adapted"] = self.adapted_
        return self.make_artifact(
            arrays=arrays,
            vocabulary={"space": self.space_, "targets": list(self.tables_)},
            feature_version=FEATURE_VERSION,
        )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The predictor that `to_artifact` described."""
        predictor = cls.from_header(artifact)
        artifact.require_features(FEATURE_VERSION)
        predictor.space_ = artifact.vocabulary_entry("space")
        tables = artifact.array("tables", ndim=2)
        predictor.tables_ = dict(zip(artifact.vocabulary_entry("targets"), tables, strict=True))
        predictor.mean_, predictor.seen_ = artifact.array("mean", ndim=1), artifact.array("seen", ndim=1)
        predictor.adapted_ = artifact.array("adapted", ndim=1) if "adapted" in artifact.arrays else None
        return predictor


def _design(architectures: Sequence[Architecture]) -> FloatArray:
    hot = layer_one_hot(architectures).astype(np.float64)
    return np.hstack([np.ones((len(hot), 1)), hot])


def _fill(design: FloatArray, latency_ms: FloatArray) -> FloatArray:
    """Non-negative entries of least relative error; entries that no row has stay zero.

    A little of the mean latency is kept for the rest of the network, so that no sum is zero.
    """
    rest = 0.01 * float(latency_ms.min())
    weighted = design / latency_ms[:, None]
    entries, _ = nnls(weighted, 1 - rest / latency_ms, maxiter=50 * design.shape[1])
    entries[0] += rest
    return np.asarray(entries, dtype=np.float64)


def _mean_table(tables: dict[TargetId, FloatArray], design: FloatArray) -> FloatArray:
    """Mean of the tables, each scaled to a mean latency of one; then scaled back by the geometric mean."""
    means = np.array([float((design @ table).mean()) for table in tables.values()])
    mean = np.mean([table / scale for table, scale in zip(tables.values(), means, strict=True)], axis=0)
    return np.asarray(mean * np.exp(np.log(means).mean()))


def _ridge(x: FloatArray, y: FloatArray, strengths: Sequence[float]) -> FloatArray:
    """Ridge regression in its dual form, with the strength of the least leave-one-out error.

    Args:
        x: float64 (k, d).
        y: float64 (k,).
        strengths: relative to the mean of the diagonal of x·xᵀ.
    """
    gram = x @ x.T
    unit = float(np.trace(gram)) / len(gram)
    best, weights = np.inf, np.zeros(len(y))
    for strength in strengths:
        inverse = np.linalg.inv(gram + strength * unit * np.eye(len(gram)))
        dual = inverse @ y
        error = float(np.mean(np.square(dual / np.diag(inverse))))  # leave-one-out residuals in closed form
        if error < best:
            best, weights = error, dual
    return np.asarray(x.T @ weights)
