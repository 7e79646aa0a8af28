"""LatBench's pickles as texts and milliseconds, without running them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from latcast.schema import InputError
from predictors.data.importers import import_latbench
from profilers.search_spaces.nasbench201 import NASBench201


def test_operators_and_seconds_become_texts_and_ms(tmp_path: Path) -> None:
    file = tmp_path / "pixel3.pickle"
    file.write_bytes(pickle.dumps({(3, 3, 4, 1, 3, 1): 0.0125, (0, 0, 0, 1, 0, 0): np.float32(0.25)}))
    imported = import_latbench(file)
    assert imported.dataset.latency_ms.tolist() == [12.5, 250.0]
    first = imported.dataset.queries[0]
    assert first.architecture is not None
    assert first.architecture.text == NASBench201.example
    assert first.target.device == "pixel3"
    assert "Apache" in first.target.origin


def test_what_does_not_fit_is_skipped_with_a_reason(tmp_path: Path) -> None:
    table = {(0,) * 6: 1.0, (5,) * 6: 1.0, (0, 1): 1.0, "text": 1.0, (1,) * 6: "slow", (2,) * 6: -1.0, (3,) * 6: True}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(table))
    imported = import_latbench(tmp_path)
    assert imported.report.rows == 1
    assert sum(skipped.rows for skipped in imported.report.skipped) == 6


def test_one_bad_file_of_a_folder_is_skipped_and_alone_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good.pickle").write_bytes(pickle.dumps({(1,) * 6: 0.5}))
    (tmp_path / "bad.pickle").write_bytes(b"not a pickle")
    (tmp_path / "list.pickle").write_bytes(pickle.dumps([1, 2]))
    imported = import_latbench(tmp_path)
    assert imported.report.rows == 1
    assert [item.what for item in imported.report.skipped] == ["bad.pickle", "list.pickle"]
    with pytest.raises(InputError, match=r"bad\.pickle"):
        import_latbench(tmp_path / "bad.pickle")
    with pytest.raises(InputError, match="no pickles"):
        import_latbench(Path(__file__).parent)
    with pytest.raises(InputError, match="Cannot read"):
        import_latbench(tmp_path / "absent.pickle")
