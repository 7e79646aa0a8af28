"""Artifacts of adapted predictors without what their base has, too: a tenth of the bytes.

An adapted predictor holds its base's arrays unchanged, some with rows of its own among them. Whoever keeps many
adaptations of one base keeps the difference, and puts both together again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from latcast.schema import ArtifactError
from predictors.artifact import Artifact

__all__ = ["base_digest_of", "completed", "difference"]

_KEY = "without_base"
LEAST_BYTES = 1024
"""Smaller arrays, and rows of arrays, stay as they are: saying where they are takes as much."""
OWN = -1
"""Place of a row that the base does not have."""
Array = np.ndarray[Any, Any]


def difference(artifact: Artifact, base: Artifact, digest: str) -> Artifact:
    """The artifact without arrays, and rows of arrays, that the base has, whatever they are called there.

    Args:
        artifact: of any predictor; one that shares nothing with the base is returned as it is.
        base: complete.
        digest: by which `completed`'s caller finds the base.
    """
    whole = {_identity(array): name for name, array in base.arrays.items() if array.nbytes >= LEAST_BYTES}
    rows = {name: _rows(array) for name, array in base.arrays.items()}
    shared: dict[str, str] = {}
    mixed: dict[str, tuple[str, list[int]]] = {}
    kept: dict[str, Array] = {}
    for name, array in artifact.arrays.items():
        if array.nbytes >= LEAST_BYTES and (same := whole.get(_identity(array))) is not None:
            shared[name] = same
        elif (found := _most_alike(array, rows)) is not None:
            mixed[name] = found
            kept[name] = array[np.asarray(found[1]) == OWN]
        else:
            kept[name] = array
    if not shared and not mixed:
        return artifact
    told = {"digest": digest, "shared": shared, "mixed": mixed}
    return replace(artifact, arrays=kept, meta={**artifact.meta, _KEY: told})


def base_digest_of(artifact: Artifact) -> str | None:
    """What `difference` was told of the base; None of an artifact that is complete."""
    told = artifact.meta.get(_KEY)
    return None if told is None else str(told["digest"])


def completed(artifact: Artifact, base: Artifact) -> Artifact:
    """The artifact that `difference` was given.

    Raises:
        ArtifactError: the base is another one.
    """
    told = artifact.meta.get(_KEY)
    if told is None:
        return artifact
    arrays = dict(artifact.arrays)
    for name, theirs in told["shared"].items():
        arrays[name] = base.array(theirs)
    for name, (theirs, places) in told["mixed"].items():
        arrays[name] = _mixed(name, artifact.array(name), base.array(theirs), np.asarray(places, dtype=np.intp))
    return replace(artifact, arrays=arrays, meta={key: value for key, value in artifact.meta.items() if key != _KEY})


def _identity(array: Array) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest()


def _rows(array: Array) -> dict[tuple[str, tuple[int, ...], bytes], int]:
    """Places of the rows, by what they are; none of an array whose rows are small."""
    if array.ndim < 2 or array[:1].nbytes < LEAST_BYTES:
        return {}
    return {_identity(row): place for place, row in enumerate(array)}


def _most_alike(
    array: Array, bases: Mapping[str, Mapping[tuple[str, tuple[int, ...], bytes], int]]
) -> tuple[str, list[int]] | None:
    """(name of the array that has most of these rows, place of each there or OWN); None where none has any."""
    if array.ndim < 2 or array[:1].nbytes < LEAST_BYTES:
        return None
    rows = [_identity(row) for row in array]
    name = max(bases, key=lambda each: sum(row in bases[each] for row in rows), default=None)
    places = [] if name is None else [bases[name].get(row, OWN) for row in rows]
    return None if name is None or all(place == OWN for place in places) else (name, places)


def _mixed(name: str, own: Array, base: Array, places: Array) -> Array:
    """Rows of the base at their places, and the others in between, in their order."""
    if own.dtype != base.dtype or own.shape[1:] != base.shape[1:] or places.max(initial=OWN) >= len(base):
        raise ArtifactError(f"The array {name!r} does not fit the base of the artifact.")
    array = np.empty((len(places), *base.shape[1:]), dtype=base.dtype)
    array[places != OWN], array[places == OWN] = base[places[places != OWN]], own
    return array
