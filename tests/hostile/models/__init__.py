"""Hostile ONNX files, made by code: small, each with the sentence that refuses it, or none where it is forecast."""

from collections.abc import Iterator

from tests.hostile.entry import Entry
from tests.hostile.models import attributes, damaged, external, many_nodes, nested, sizes
from tests.hostile.models.corpus import ENTRIES, FILES, by_hash, forecast, upload

__all__ = ["ENTRIES", "FILES", "KINDS", "forecast", "upload"]

KINDS = (many_nodes, nested, attributes, sizes, external, damaged)
"""Each module enters its files when it is imported."""


def sent_twice() -> Iterator[Entry]:
    """Forecasts by the hash of what was stored."""
    for name in ("chain_of_20_000", "loop_with_a_large_body", "value_infos_for_nobody"):
        yield Entry(name=f"hash-{name}", send=lambda it, name=name: by_hash(it, FILES[name]()), status=200)


ENTRIES += sent_twice()
