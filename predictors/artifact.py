"""Artifacts: a fitted predictor as one safetensors file, without pickle.

An artifact is a JSON header, kept as the only metadata entry of a safetensors file, and named arrays. It holds
everything that its predictor needs to rebuild itself. The same artifact always has the same bytes: header keys are
sorted, and safetensors orders tensors by type and name (https://github.com/huggingface/safetensors).
"""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from latcast.schema import ArtifactError
from latcast.schema.articles import with_article
from latcast.schema.counting import counted

__all__ = ["FORMAT_VERSION", "MAX_BYTES", "Artifact", "library_versions", "text_from_array", "text_to_array"]

FORMAT_VERSION = 1
"""Version of the header; an artifact of a newer version is refused."""

MAX_BYTES = 256 * 2**20
"""Largest file that is read unless the caller allows more."""

_KEY = "latcast"
_ARRAY_KINDS = "biuf"
_LIBRARIES = ("latcast", "numpy", "scipy", "lightgbm", "torch")
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A fitted predictor in storable form.

    Args:
        kind: name of the predictor, as registered in `latcast.predictors`.
        hyperparameters: the constructor's arguments without the seed.
        seed: seed of everything random.
        arrays: learned arrays by name; booleans, integers or floats of any shape.
        vocabulary: meaning of the arrays' indices: operators, target ids, feature names.
        feature_version: version of the features that the predictor reads.
        dataset_digest: digest of the data set that it was trained on; empty where the predictor was fitted by hand.
        library_versions: versions of the libraries that wrote the artifact, by name.
        metrics: figures of the predictor that its training computed.
        meta: further JSON values.
        format_version: version of the header.
    """

    kind: str
    hyperparameters: Mapping[str, Any]
    arrays: Mapping[str, Array]
    seed: int = 0
    vocabulary: Mapping[str, Any] = field(default_factory=dict)
    feature_version: str = ""
    dataset_digest: str = ""
    library_versions: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def to_bytes(self) -> bytes:
        """The file's content; the same artifact gives the same bytes in every process.

        Raises:
            ArtifactError: a value of the header is not JSON, or an array is of an unsupported type.
        """
        arrays = {name: _storable(name, array) for name, array in sorted(self.arrays.items())}
        return bytes(save_tensors(arrays, metadata={_KEY: self._header_text()}))

    @classmethod
    def from_bytes(cls, data: bytes, *, max_bytes: int = MAX_BYTES) -> Self:
        """The artifact in these bytes.

        Args:
            data: bytes that `to_bytes` returned.
            max_bytes: size above which the bytes are refused unread.

        Raises:
            ArtifactError: the bytes are too many, corrupt, truncated, no artifact, or of a newer format.
        """
        if len(data) > max_bytes:
            raise ArtifactError(f"The artifact takes {counted(len(data), 'byte')}; at most {max_bytes:,} are read.")
        header = _parse_header(data)
        try:
            arrays = load_tensors(data)
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise ArtifactError(f"The artifact is corrupt or truncated: {error}. Copy or train it again.") from error
        return cls(arrays=arrays, **header)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the artifact to `path` atomically; returns the path.

        Raises:
            ArtifactError: the artifact cannot be stored, see `to_bytes`.
            OSError: the file cannot be written.
        """
        target = Path(path)
        draft = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            draft.write_bytes(self.to_bytes())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Self:
        """Read an artifact from a file, at most `max_bytes` of it.

        Raises:
            ArtifactError: the file cannot be read, or is no artifact; the message names the file.
        """
        try:
            with Path(path).open("rb") as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            raise ArtifactError(f"Cannot read the artifact {os.fspath(path)!r}: {error.strerror}.") from error
        try:
            return cls.from_bytes(data, max_bytes=max_bytes)
        except ArtifactError as error:
            raise ArtifactError(f"{os.fspath(path)}: {error}") from error

    @property
    def digest(self) -> str:
        """SHA-256 over header and arrays, 64 hexadecimal digits; independent of the layout of the file."""
        state = hashlib.sha256(self._header_text().encode())
        for name, array in sorted(self.arrays.items()):
            stored = _storable(name, array)
            state.update(f"\0{name}\0{stored.dtype.str}\0{stored.shape}\0".encode())
            state.update(stored.tobytes())
        return state.hexdigest()

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The artifact with other texts in its vocabulary, metrics and further values, such as other ids of targets.

        Args:
            names: the new text of each old one; whole texts and keys are replaced, parts of texts are not.
        """
        return replace(
            self,
            vocabulary=_renamed(self.vocabulary, names),
            metrics=_renamed(self.metrics, names),
            meta=_renamed(self.meta, names),
        )

    def require_kind(self, kind: str) -> None:
        """Raise `ArtifactError` unless the artifact is of this kind."""
        if self.kind != kind:
            raise ArtifactError(f"The artifact holds {with_article(repr(self.kind))} predictor, not {kind!r}; open it "
                                "with predictors.registry.load_predictor.")  # fmt: skip

    def require_features(self, version: str) -> None:
        """Raise `ArtifactError` unless the artifact reads this version of the features."""
        if self.feature_version != version:
            raise ArtifactError(
                f"The artifact reads features {self.feature_version!r}, here they are {version!r}: train it again."
            )

    def vocabulary_entry(self, name: str) -> Any:
        """The entry of the vocabulary with that name.

        Raises:
            ArtifactError: the vocabulary has no such entry.
        """
        if name not in self.vocabulary:
            raise ArtifactError(f"The artifact of kind {self.kind!r} lacks the vocabulary {name!r}; train it again.")
        return self.vocabulary[name]

    def array(self, name: str, *, ndim: int | None = None) -> Array:
        """The array with that name.

        Raises:
            ArtifactError: there is no such array, or it has another number of dimensions.
        """
        if name not in self.arrays:
            raise ArtifactError(f"The artifact of kind {self.kind!r} lacks the array {name!r}; train it again.")
        array = self.arrays[name]
        if ndim is not None and array.ndim != ndim:
            raise ArtifactError(
                f"The array {name!r} has {counted(array.ndim, 'dimension')} instead of {ndim}; train it again."
            )
        return array

    def _header_text(self) -> str:
        header = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "arrays"}
        try:
            return json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
        except (TypeError, ValueError) as error:
            raise ArtifactError(f"The header of the artifact is not JSON: {error}.") from error


def library_versions() -> dict[str, str]:
    """Versions of Python and of the installed libraries that a predictor may depend on, by name."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def text_to_array(text: str) -> Array:
    """A text as UTF-8 bytes: uint8 (bytes,)."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def text_from_array(array: Array) -> str:
    """The text that `text_to_array` stored.

    Raises:
        ArtifactError: the array holds no text in UTF-8.
    """
    try:
        return np.asarray(array, dtype=np.uint8).tobytes().decode()
    except UnicodeDecodeError as error:
        raise ArtifactError("A text inside the artifact is not UTF-8: the artifact is corrupt.") from error


def _storable(name: str, array: Array) -> Array:
    if array.dtype.kind not in _ARRAY_KINDS:
        raise ArtifactError(
            f"The array {name!r} of type {array.dtype} cannot be stored; use booleans, integers or floats."
        )
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=None)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _parse_header(data: bytes) -> dict[str, Any]:
    try:
        length = int.from_bytes(data[:8], "little")
        outer = json.loads(data[8 : 8 + length].decode()) if 0 < length <= len(data) - 8 else None
        text = outer["__metadata__"][_KEY] if outer is not None else None
        header = json.loads(text) if text is not None else None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError("This is not a predictor artifact: it has no latcast header.") from error
    if not isinstance(header, dict):
        raise ArtifactError("This is not a predictor artifact, or it is truncated: it has no latcast header.")
    return _check_header(header)


def _check_header(header: dict[str, Any]) -> dict[str, Any]:
    format_version = header.get("format_version")
    if isinstance(format_version, int) and format_version > FORMAT_VERSION:
        raise ArtifactError(
            f"The artifact has format version {format_version}, this latcast reads up to {FORMAT_VERSION}: "
            "update latcast."
        )
    for item in fields(Artifact):
        if item.name != "arrays" and not isinstance(header.get(item.name), _HEADER_TYPES[item.name]):
            raise ArtifactError(
                f"The header field {item.name!r} is missing or of the wrong type: the artifact is corrupt."
            )
    return {name: header[name] for name in _HEADER_TYPES}


_HEADER_TYPES: dict[str, type] = {
    "kind": str, "hyperparameters": dict, "seed": int, "vocabulary": dict, "feature_version": str,
    "dataset_digest": str, "library_versions": dict, "metrics": dict, "meta": dict, "format_version": int,
}  # fmt: skip
