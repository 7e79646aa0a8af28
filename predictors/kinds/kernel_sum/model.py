"""A fitted sum over kernels: roofline, correction, and the multipliers of targets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latcast.schema import DeviceEvidence, MissingEvidenceError, Target, TargetId
from predictors.artifact import Artifact
from predictors.base import FloatArray, LatencyDataset, Prediction, Query
from predictors.data.splits import rows_by_target
from predictors.explanation import KernelForecasts
from predictors.features.kernels import KernelTable
from predictors.features.kernels.parts import ChainTable
from predictors.inference.random_effects import TargetEffects
from predictors.kinds.kernel_sum.correction import Correction, Graphs, SmoothCorrection
from predictors.kinds.kernel_sum.multipliers import NEAREST, Multipliers
from predictors.kinds.kernel_sum.observations import chain_of, observe, operators_of, tabulate, without_call
from predictors.kinds.kernel_sum.part_curves import Columns, kernels_of_chains
from predictors.kinds.kernel_sum.shared_roofline import SharedRoofline, within
from predictors.kinds.kernel_sum.sums import Kernels, Labels
from predictors.kinds.kernel_sum.target_descriptors import TargetDescriptors
from predictors.kinds.kernel_sum.target_prior import TargetPrior
from predictors.kinds.kernel_sum.training_set import KernelBatch, TrainingSet
from profilers.search_spaces.families import family_of

__all__ = ["MIN_KERNELS", "KernelSum", "learn_multipliers"]

MIN_KERNELS = 5
"""Graphs with fewer calibrate no interval: a single kernel's error averages with nothing."""

_UNKNOWN_VARIANCE = 0.5
"""Variance of log time of a kernel whose operator or size training never saw."""

_UNDECIDED_VARIANCE = 2.5**2
"""Variance of log time of a kernel whose values decide how much it computes, beside that: log-uniform between .015 and
15.6 ms, as NonMaxSuppression takes for boxes of the same shapes."""

_SAME_SPEED = float(np.log(1.2))
"""Further than this from the speed of training, a target of training's name is another machine."""

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSum:
    """A fitted model. It is immutable: an adapted one is another one.

    Args:
        shared: the roofline.
        correction: what was learned over it.
        multipliers: of the targets.
        target_prior: which targets of training a new one is like by its traits.
        descriptors: the same by its microbenchmarks; None where training had too few.
        trained: effects of the targets of training, as training left them.
    """

    shared: SharedRoofline
    correction: Correction
    multipliers: Multipliers
    target_prior: TargetPrior
    descriptors: TargetDescriptors | None = None
    trained: Mapping[TargetId, TargetEffects] = field(default_factory=dict)
    _token: object = field(init=False, repr=False, compare=False, default_factory=object)

    @classmethod
    def of(
        cls,
        shared: SharedRoofline,
        correction: Correction,
        multipliers: Multipliers,
        target_prior: TargetPrior,
        descriptors: TargetDescriptors | None = None,
    ) -> Self:
        """A model as training, or an artifact, leaves it."""
        targets = multipliers.effects.targets
        return cls(
            shared=shared,
            correction=correction,
            multipliers=multipliers,
            target_prior=target_prior,
            descriptors=descriptors,
            trained={name: targets[name] for name in target_prior.names if name in targets},
        )

    def adapted(self, target: Target, support: LatencyDataset, evidence: DeviceEvidence | None) -> Self:
        """The posterior of a target's multipliers given the support, and what its kernels say beyond them.

        Raises:
            MissingEvidenceError: an empty support.
        """
        if len(support) == 0:
            raise MissingEvidenceError("Adapting takes at least one measured row of the target; measure one.")
        seen = observe(support, self.shared.unit_ms)
        batch = KernelBatch.of(seen.table, [query.target for query in support.queries], self.shared.roofline)
        base = replace(self, correction=self.correction.without_target(target.id))
        kernels = base._kernels(batch)
        slower = np.median(seen.latency / kernels.totals(kernels.times(self.multipliers.effects.mean)))
        kernel_time = without_call(seen, np.full(len(support), self.shared.call * slower))
        labels = Labels(latency=seen.latency, kernel_time=kernel_time)
        multipliers = self.multipliers.adapted(
            kernels,
            labels,
            target.id,
            expected=self._expected(target, evidence),
            # What its traits make likely says more than the single targets that some graphs happen to fit.
            nearest=0 if self.target_prior.knows(target) else NEAREST,
            families=family_numbers(support.queries),
        )
        if self._is_as_trained(target.id, kernels, labels):
            # Many of its kernels taught the correction: what ten graphs' differ by from these is mostly noise.
            return replace(base, multipliers=multipliers)
        mean = multipliers.effects.of(target.id).mean
        correction = base.correction.with_target(target.id, batch, kernels, labels, mean)
        return replace(base, multipliers=multipliers, correction=correction)

    def predict(self, queries: Sequence[Query]) -> Prediction:
        """Forecasts; a target without multipliers gets the average over targets, with their spread.

        Networks that were put together are read off curves (`predictors.kinds.kernel_sum.part_curves`): within some
        1e-5 of what their graphs give, but where that decides a split of the trees over whole graphs.
        """
        log_time, log_std, coverage = np.zeros(len(queries)), np.zeros(len(queries)), np.zeros(len(queries))
        for places, name, kernels in self._by_target(queries):
            state = self.multipliers.effects.of(name)
            log_time[places], variance = self.multipliers.forecast(kernels, state)
            log_std[places] = np.sqrt(variance) * state.tail_scale
            coverage[places] = self._coverage(kernels)
        return Prediction(median_ms=np.exp(log_time) * self.shared.unit_ms, log_std=log_std, coverage=coverage)

    def _by_target(self, queries: Sequence[Query]) -> Iterator[tuple[Places, TargetId, Kernels]]:
        """(places of the queries, their target, their kernels)."""
        smooth = isinstance(self.correction, SmoothCorrection)
        chains = {place: chain for place, query in enumerate(queries) if smooth and (chain := chain_of(query))}
        whole = np.array([place for place in range(len(queries)) if place not in chains], dtype=np.int64)
        if len(whole):
            asked = [queries[place] for place in whole]
            kernels = self.kernels(asked)
            for name, rows in rows_by_target(asked).items():
                yield whole[rows], name, kernels.pick(rows)
        together = np.array(list(chains), dtype=np.int64)
        for name, rows in rows_by_target([queries[place] for place in together]).items():
            places = together[rows]
            yield places, name, self._of_chains([chains[place] for place in places], queries[places[0]].target)

    def coverage(self, queries: Sequence[Query]) -> FloatArray:
        """Share of each graph's forecast in kernels whose operator and size training has seen, float64 (n,)."""
        return self._coverage(self.kernels(queries)) if queries else np.empty(0)

    def _coverage(self, kernels: Kernels) -> FloatArray:
        times = kernels.times(self.multipliers.effects.mean)
        return np.asarray(kernels.totals(times * (kernels.unknown_variance == 0)) / kernels.totals(times))

    def unknown_operators(self, query: Query) -> tuple[str, ...]:
        """Kernels of the query's graph whose operator training has not seen, sorted."""
        return tuple(sorted(operators_of(query) - set(self.shared.operators)))

    def explain(self, query: Query) -> KernelForecasts:
        """The kernels of the query's graph, each with its part of the forecast."""
        state, kernels = self.multipliers.effects.of(query.target.id), self.kernels([query])
        return KernelForecasts(
            table=tabulate([query]),
            latency_ms=kernels.times(state.mean) * self.shared.unit_ms,
            known=kernels.unknown_variance == 0,
        )

    def features(self, queries: Sequence[Query]) -> FloatArray:
        """Rows whose inner products are prior covariances of log latency, float64 (n, d)."""
        return self.multipliers.features(self.kernels(queries))

    def kernels(self, queries: Sequence[Query]) -> Kernels:
        """The kernels of the queries' graphs, as all targets share them."""
        return self._kernels(
            KernelBatch.of(tabulate(queries), [query.target for query in queries], self.shared.roofline)
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays for an artifact."""
        descriptors = {} if self.descriptors is None else self.descriptors.to_arrays()
        return self.shared.to_arrays() | self.correction.to_arrays() | self.multipliers.to_arrays() | descriptors

    def to_vocabulary(self) -> dict[str, Any]:
        """What the arrays' indices mean; names of microbenchmarks are left to predictors that have them."""
        return {
            "operators": self.shared.operators,
            "targets": self.multipliers.effects.names(),
            "trained_on": list(self.target_prior.names),
            "manners": self.target_prior.to_vocabulary(),
            **self.correction.to_vocabulary(),
        }

    @classmethod
    def from_artifact(
        cls,
        artifact: Artifact,
        shared: SharedRoofline,
        correction: Correction,
        descriptors: TargetDescriptors | None = None,
    ) -> Self:
        """The model in an artifact, around the parts that depend on the predictor's kind.

        Raises:
            ArtifactError: arrays or vocabulary are missing or do not fit each other.
        """
        names, trained_on = (
            [str(name) for name in artifact.vocabulary_entry(entry)] for entry in ("targets", "trained_on")
        )
        multipliers = Multipliers.from_artifact(artifact, names)
        return cls.of(shared, correction, multipliers, TargetPrior.from_artifact(artifact, trained_on), descriptors)

    def _kernels(self, batch: KernelBatch) -> Kernels:
        tilts = self.correction.tilts(batch)
        kernels = batch.kernels(self.correction.log_factor(batch, tilts), tilts)
        return with_variance(kernels, self.shared, batch)

    def _of_chains(self, chains: Sequence[ChainTable], target: Target) -> Kernels:
        """The kernels of networks that were put together, on one target."""
        correction = self.correction
        assert isinstance(correction, SmoothCorrection)  # noqa: S101 - others are not asked
        seen = kernels_of_chains(chains, partial(self._columns, correction, target), (self._token, target.id))
        by_kernel, by_target, by_roofline, sized = seen.columns.smooth
        ranges, undecided, tilts, shapes = seen.columns.fixed
        unknown = ~within(ranges, by_roofline[:, 0])
        kernels = Kernels(
            log_time=by_kernel[:, 0],
            kinds=seen.kinds,
            tilt=correction.joined_tilts(seen.kinds, sized, tilts),
            rows=seen.rows,
            count=len(chains),
            unknown_variance=_UNKNOWN_VARIANCE * unknown + _UNDECIDED_VARIANCE * undecided[:, 0],
        )
        graphs = Graphs(
            parameter_bytes=seen.parameter_bytes,
            largest_bytes=seen.largest_bytes,
            shapes=shapes,
            targets=[target] * len(chains),
        )
        by_graph = correction.of_graphs(kernels, graphs)
        return replace(kernels, log_time=kernels.log_time + by_graph[kernels.rows] + by_target[:, 0])

    def _columns(self, correction: SmoothCorrection, target: Target, table: KernelTable) -> Columns:
        """What is said of kernels on one target, whatever else there is in their network."""
        table = replace(table, graph=np.zeros(len(table), dtype=np.int64))
        batch = KernelBatch.of(table, [target], self.shared.roofline)
        by_kernel, by_target = np.split(correction.of_kernels(batch), 2, axis=1)
        log_time = batch.log_time + np.log(table.repeats)
        return Columns(
            smooth=[
                log_time[:, None] + by_kernel, by_target, batch.costs.log_time[:, None], correction.sized_tilts(batch),
            ],
            fixed=[
                self.shared.known_range(table), table.undecided[:, None].astype(float), correction.shape_tilts(table),
                correction.shapes(table),
            ],
        )  # fmt: skip

    def _expected(self, target: Target, evidence: DeviceEvidence | None) -> list[FloatArray]:
        """The multipliers that are likely before anything was measured, float64 (d,) each."""
        targets = self.multipliers.effects.targets
        by_traits = self.target_prior.expected(target, {name: targets[name].mean for name in self.target_prior.names})
        by_evidence = None if self.descriptors is None else self.descriptors.expected(evidence)
        return [by_traits] if by_evidence is None else [by_traits, by_evidence]

    def _is_as_trained(self, target: TargetId, kernels: Kernels, labels: Labels) -> bool:
        """Whether training has seen the target at about this speed: images started on other hosts keep its id."""
        if target not in self.trained:
            return False
        expected = kernels.totals(kernels.times(self.trained[target].mean))
        return abs(float(np.median(np.log(labels.latency) - np.log(expected)))) < _SAME_SPEED


def family_numbers(queries: Sequence[Query]) -> NDArray[np.int64]:
    """A number for each query's family, int64 (n,); a graph that is no architecture is of a family of its own."""
    names = [
        str(place) if query.architecture is None else family_of(query.architecture)
        for place, query in enumerate(queries)
    ]
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def with_variance(kernels: Kernels, shared: SharedRoofline, batch: KernelBatch) -> Kernels:
    """The kernels, with the variance of those that training knows little of."""
    variance = np.where(shared.is_known(batch), 0.0, _UNKNOWN_VARIANCE) + _UNDECIDED_VARIANCE * batch.table.undecided
    return replace(kernels, unknown_variance=variance)


def learn_multipliers(
    shared: SharedRoofline, training: TrainingSet, tilts: FloatArray, held_out: FloatArray
) -> tuple[Kernels, Multipliers]:
    """(kernels as forecast by models that did not see their graphs, the multipliers that these teach).

    Args:
        shared: the roofline.
        training: rows of one or many targets.
        tilts: float64 (K, T).
        held_out: float64 (K,), log time over the roofline's by models that did not see the kernel's graph.
    """
    kernels = with_variance(training.batch.kernels(held_out, tilts), shared, training.batch)
    parts = {name: training.part(kernels, name) for name in training.target_names}
    return kernels, Multipliers.guessed(tilts.shape[1]).learned(parts, min_kernels=MIN_KERNELS)
