"""The trees: what shapes do to a kernel's time beyond its amount of work.

Each of a few folds of graphs trains an ensemble on the others, with an absolute loss on log time, for labels are
heavy-tailed. Its held-out forecasts for its own fold calibrate everything after. A forecast is the folds' mean.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import lightgbm
import numpy as np

from latcast.schema import ArtifactError
from predictors.artifact import Artifact
from predictors.base import FloatArray
from predictors.execution.side_by_side import side_by_side
from predictors.features.kernels import CLASSES, SHAPE_FEATURES, KernelTable, column_places
from predictors.kinds.kernel_sum.roofline import Costs

__all__ = ["CATEGORIES", "Growth", "ResidualTrees", "kernel_numbers", "tree_features"]

CATEGORIES = (0, 1)
"""Columns of `tree_features` that are names: class and operator."""

_LOGARITHMIC = (
    "macs", "operations", "input_bytes", "output_bytes", "parameter_bytes", "elements", "graph_parameter_bytes",
    "graph_activation_bytes", "batch", "rows", "columns", "depth", "groups", "width", "window", "channels_in",
    "channels_out", "axis", "run", "activation", "element_cost", "parts",
)  # fmt: skip
_PLAIN = tuple(name for name in SHAPE_FEATURES if name not in _LOGARITHMIC)
_LOGARITHMIC_PLACES, _PLAIN_PLACES = column_places(_LOGARITHMIC), column_places(_PLAIN)
_DERIVED = column_places((
    "macs", "input_bytes", "output_bytes", "parameter_bytes", "depth", "groups", "channels_in", "channels_out",
    "columns", "width", "rows",
))  # fmt: skip
_VECTOR, _TILE = 16, 6
_BLOCKS = np.array([_VECTOR, _VECTOR, 4, _TILE, _TILE])
_RUN, _VARIANT = column_places(("run", "variant"))
_REDUCE = CLASSES.index("reduce")
KEPT = 16
"""Ensembles that stay read: reading one takes nine tenths of the time that it takes to load a predictor."""
_FEWEST_ROWS, _MOST_PARTS = 24, 8
"""Rows that are worth a part for another thread, which costs a tenth of a ms, and how many parts there are at most."""
_PAGE = 1024
"""Elements of a page: reads that are whole pages apart fall on the same few lines of a cache."""


def tree_features(table: KernelTable, operators: Sequence[str], costs: Costs) -> FloatArray:
    """What the trees read, float64 (n, features).

    Args:
        table: n kernels.
        operators: names that training has seen; others count as missing.
        costs: of these kernels, by the roofline.
    """
    codes = {name: float(index) for index, name in enumerate(operators)}
    names = [codes.get(name, np.nan) for name in table.operators]
    return np.column_stack([table.kinds, np.array(names, dtype=np.float64), kernel_numbers(table, costs)])


def kernel_numbers(table: KernelTable, costs: Costs) -> FloatArray:
    """Sizes, flags and the roofline's view of n kernels, float64 (n, f)."""
    macs, read, written, parameters, depth, groups, inner, outer, columns, width, rows = table.values[:, _DERIVED].T
    moved = read + written + parameters
    # How much is computed for each byte, and other products and quotients of sizes.
    quotients = np.stack([macs / np.maximum(moved, 1.0), rows * depth, inner / np.maximum(groups, 1.0), moved], axis=1)
    # How well sizes fill whole vectors and register tiles: one for zero.
    sizes = np.stack([outer, columns, outer / _VECTOR, width, rows], axis=1)
    filled = np.where(sizes > 0, sizes / (np.ceil(sizes / _BLOCKS) * _BLOCKS + 1e-12), 1.0)
    return np.concatenate(
        [
            np.log1p(table.values[:, _LOGARITHMIC_PLACES]),
            table.values[:, _PLAIN_PLACES],
            filled,
            _aliasing(table)[:, None],
            np.log1p(quotients),
            costs.shares,
            costs.log_time[:, None],
        ],
        axis=1,
    )


def _aliasing(table: KernelTable) -> FloatArray:
    """What part of a page divides the stride of a strided reduction, as a power of two: 0 for none, 1 for whole pages.

    An ArgMax over the channels of 64 × 64 maps takes four times as long for each element as one of 80 × 80. Other
    kernels step through their inputs otherwise, and sizes that are powers of two would only mark what networks they
    are from.
    """
    run = table.values[:, _RUN].astype(np.int64)
    strided = (table.kinds == _REDUCE) & (table.values[:, _VARIANT] > 0)
    shared = np.log2(np.clip(run & -run, 1, _PAGE)) / np.log2(_PAGE)
    return np.where(strided, shared, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How trees grow.

    Args:
        trees: boosting rounds.
        learning_rate: shrinkage.
        leaves: at most.
        seed: of their samples.
        random_splits: of each feature one threshold is looked at, drawn at random (extremely randomised trees).
    """

    trees: int
    learning_rate: float
    leaves: int
    seed: int
    random_splits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualTrees:
    """Ensembles of all folds.

    Args:
        boosters: one for each fold; none where there was too little to learn from.
        packed: of each what `to_arrays` gives, where it came out of an artifact: packing again would take a second.
    """

    boosters: tuple[lightgbm.Booster, ...]
    packed: tuple[np.ndarray[Any, Any], ...] = ()

    @classmethod
    def fit(
        cls,
        features: FloatArray,
        residual: FloatArray,
        weights: FloatArray,
        folds: Sequence[tuple[np.ndarray, np.ndarray]],
        growth: Growth,
        *,
        progress: Callable[[float], None],
        categories: Sequence[int] = (),
    ) -> tuple[Self, FloatArray]:
        """(the trees, float64 (n,) forecasts for each row by trees that did not see its graph).

        Args:
            features: float64 (n, f).
            residual: float64 (n,), log time over what is known without trees; NaN where there is no label.
            weights: float64 (n,).
            folds: (training rows, held-out rows) of each.
            growth: how trees grow.
            progress: called with the share done.
            categories: columns whose numbers are names.
        """
        boosters: list[lightgbm.Booster] = []
        held_out = np.zeros(len(residual))
        for index, (inner, outer) in enumerate(folds):
            progress(index / len(folds))
            grown = cls.grow(features[inner], residual[inner], weights[inner], growth, categories=categories)
            held_out[outer] = grown.predict(features[outer])
            boosters += grown.boosters
        return cls(boosters=tuple(boosters)), held_out

    @classmethod
    def grow(
        cls,
        features: FloatArray,
        residual: FloatArray,
        weights: FloatArray,
        growth: Growth,
        *,
        categories: Sequence[int] = (),
    ) -> Self:
        """One ensemble, of all rows that have a label; arguments as for `fit`."""
        used = np.isfinite(residual)
        data = lightgbm.Dataset(
            features[used],
            residual[used],
            weight=weights[used],
            categorical_feature=list(categories),
            free_raw_data=False,
        )
        return cls(boosters=(lightgbm.train(_parameters(growth), data, num_boost_round=growth.trees),))

    def predict(self, features: FloatArray) -> FloatArray:
        """Mean over the folds, float64 (n,). Networks repeat their kernels: equal rows are forecast once."""
        if not self.boosters or not len(features):
            return np.zeros(len(features))
        if len(features) == 1:
            return self._mean(features)
        rows = np.ascontiguousarray(features).view(np.dtype((np.void, features.dtype.itemsize * features.shape[1])))
        _, first, place = np.unique(rows.ravel(), return_index=True, return_inverse=True)
        return self._mean(features[first])[place]

    def _mean(self, features: FloatArray) -> FloatArray:
        size = -(-len(features) // min(max(len(features) // _FEWEST_ROWS, 1), _MOST_PARTS))
        parts = [slice(start, start + size) for start in range(0, len(features), size)]
        tasks = [(booster, part) for booster in self.boosters for part in parts]
        done = side_by_side(lambda task: task[0].predict(features[task[1]], num_threads=1), tasks)
        each = np.concatenate(done).reshape(len(self.boosters), len(features))
        return np.asarray(np.mean(each, axis=0))

    def to_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """Model texts, compressed: uint8 arrays."""
        packed = self.packed or [_packed(booster) for booster in self.boosters]
        return {f"trees.{index}": array for index, array in enumerate(packed)}

    @classmethod
    def from_artifact(cls, artifact: Artifact, members: int) -> Self:
        """The trees whose `to_arrays` went into the artifact.

        Raises:
            ArtifactError: an ensemble is missing, or not a compressed model text.
        """
        packed = [np.asarray(artifact.array(f"trees.{index}", ndim=1), dtype=np.uint8) for index in range(members)]
        return cls(boosters=tuple(_unpacked(array.tobytes()) for array in packed), packed=tuple(packed))


MOST_TEXT_BYTES = 2**28
"""Of an ensemble, unpacked: a hundred times the largest that is grown. A few kilobytes may hold gigabytes of zeros."""
_NOT_FOR_FORECASTS = (
    "leaf_weight=", "leaf_count=", "internal_value=", "internal_weight=", "internal_count=", "split_gain=",
    "tree_sizes=",
)  # fmt: skip
"""Lines of a model's text that say how it was grown, and how many bytes they take: a third of it."""


def _packed(booster: lightgbm.Booster) -> np.ndarray[Any, Any]:
    lines = booster.model_to_string().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(_NOT_FOR_FORECASTS))
    return np.frombuffer(zlib.compress(text.encode(), 9), dtype=np.uint8)


@lru_cache(maxsize=KEPT)
def _unpacked(packed: bytes) -> lightgbm.Booster:
    """The ensemble; nobody changes it, and predictors that were adapted from one base share it."""
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, MOST_TEXT_BYTES)
        if not unpacking.eof:
            raise ArtifactError(f"The trees in the artifact are cut off, or take more than {MOST_TEXT_BYTES:,} bytes.")
        return lightgbm.Booster(model_str=text.decode())
    except (zlib.error, UnicodeDecodeError, lightgbm.basic.LightGBMError) as error:
        raise ArtifactError(f"The trees in the artifact are corrupt: {error}.") from error


def _parameters(growth: Growth) -> dict[str, Any]:
    return {
        "objective": "regression_l1", "learning_rate": growth.learning_rate, "num_leaves": growth.leaves,
        "min_data_in_leaf": 8, "extra_trees": growth.random_splits, "extra_seed": growth.seed,
        "feature_fraction": 0.6, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 1.0, "cat_smooth": 20.0,
        "seed": growth.seed, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip
