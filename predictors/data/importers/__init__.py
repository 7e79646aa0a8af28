"""Importers of public latency tables. Each one reports what it read, what it skipped, and why."""

from predictors.data.importers.detect import FORMATS, detect_format, read_any
from predictors.data.importers.help import import_help
from predictors.data.importers.latbench import import_latbench
from predictors.data.importers.models_table import import_models_table
from predictors.data.importers.nnlqp import import_nnlqp
from predictors.data.importers.records import Imported, ImportReport, Skipped
from predictors.data.importers.table import import_table
from predictors.data.importers.tool_reports import TOOLS, import_tool_report

__all__ = [
    "FORMATS",
    "TOOLS",
    "ImportReport",
    "Imported",
    "Skipped",
    "detect_format",
    "import_help",
    "import_latbench",
    "import_models_table",
    "import_nnlqp",
    "import_table",
    "import_tool_report",
    "read_any",
]
