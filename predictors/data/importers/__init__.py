"""Importers of public latency tables. Each one reports what it read, what it skipped, and why."""

from predictors.data.importers.detect import FORMATS, detect_format, read_any
from predictors.data.importers.help import import_help
from predictors.data.importers.latbench import import_latbench
from predictors.data.importers.nnlqp import import_nnlqp
from predictors.data.importers.records import Imported, ImportReport, Skipped
from predictors.data.importers.table import import_table

__all__ = [
    "FORMATS",
    "ImportReport",
    "Imported",
    "Skipped",
    "detect_format",
    "import_help",
    "import_latbench",
    "import_nnlqp",
    "import_table",
    "read_any",
]
