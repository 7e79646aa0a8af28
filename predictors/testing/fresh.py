"""Forecasts of an artifact in a fresh process.

`python -m predictors.testing.fresh MODULE:CLASS ARTIFACT QUERIES OUTPUT`
"""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from latcast.schema import Architecture, Graph, Target, from_plain, to_plain
from predictors.artifact import Artifact
from predictors.base import Predictor, Query

__all__ = ["main", "write_queries"]


def write_queries(queries: Sequence[Query], path: Path) -> None:
    """Store queries as JSON; a graph that has not been built is left out and built by the reader."""
    path.write_text(
        json.dumps(
            [
                {
                    "target": to_plain(query.target),
                    "architecture": to_plain(query.architecture),
                    "graph": to_plain(query.graph) if query.has_graph else None,
                }
                for query in queries
            ]
        )
    )


def main(class_name: str, artifact: str, queries: str, output: str) -> None:
    """Load the artifact with the class `module:name`, forecast the stored queries, and store the arrays as .npz.

    Raises:
        ArtifactError: the artifact cannot be read, or is not of that class.
    """
    module, _, name = class_name.partition(":")
    cls: type[Predictor] = getattr(import_module(module), name)
    predictor = cls.from_artifact(Artifact.load(artifact))
    asked = [_query(item) for item in json.loads(Path(queries).read_text())]
    prediction = predictor.predict(asked)
    spread = np.empty(0) if prediction.log_std is None else prediction.log_std
    np.savez(output, median_ms=prediction.median_ms, log_std=spread, coverage=predictor.coverage(asked))


def _query(item: dict[str, Any]) -> Query:
    architecture = item["architecture"] and from_plain(Architecture, item["architecture"])
    graph = item["graph"] and from_plain(Graph, item["graph"])
    return Query(target=from_plain(Target, item["target"]), architecture=architecture, graph=graph)


if __name__ == "__main__":
    main(*sys.argv[1:])
