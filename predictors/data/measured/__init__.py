"""The measured data set: Parquet files of a campaign's rows and targets, and how they become a `LatencyDataset`."""

from predictors.data.measured.packing import DATASHEET_FILE, pack
from predictors.data.measured.pooling import pooled_rows
from predictors.data.measured.reader import read_measured, to_dataset
from predictors.data.measured.records import About, MeasuredRow, MeasuredTarget
from predictors.data.measured.storage import ROWS_FILE, TARGETS_FILE, read_about, read_rows, read_targets

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
