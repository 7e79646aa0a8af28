"""The measured data set: Parquet files of a campaign's rows and targets, and how they become a `LatencyDataset`."""

from predictors.measured.packing import DATASHEET_FILE, pack
from predictors.measured.pooling import pooled_rows
from predictors.measured.reader import read_measured, to_dataset
from predictors.measured.records import About, MeasuredRow, MeasuredTarget
from predictors.measured.storage import ROWS_FILE, TARGETS_FILE, read_about, read_rows, read_targets

__all__ = [
    "DATASHEET_FILE",
    "ROWS_FILE",
    "TARGETS_FILE",
    "About",
    "MeasuredRow",
    "MeasuredTarget",
    "pack",
    "pooled_rows",
    "read_about",
    "read_measured",
    "read_rows",
    "read_targets",
    "to_dataset",
]
