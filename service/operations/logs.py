"""Log lines: structured, and never with keys or models in them."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from latcast.schema.counting import counted
from latcast.schema.printable import visible, visible_lines
from service.settings import Settings

__all__ = ["clip", "configure_logs", "make_visible", "redact"]

LONGEST_TEXT = 1000
SECRET_NAMES = ("authorization", "key", "secret", "token", "password")


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide values whose names sound secret, and every value of bytes."""
    for name, value in event.items():
        if any(part in name.lower() for part in SECRET_NAMES):
            event[name] = "[hidden]"
        elif isinstance(value, bytes | bytearray | memoryview):
            event[name] = f"[{counted(len(value), 'byte')}]"
    return event


def clip(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Shorten foreign texts, such as paths of a hundred kilobytes, which would fill the disk; traces stay whole."""
    for name, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST_TEXT and name != "exception":
            event[name] = f"{value[:LONGEST_TEXT]}… ({counted(len(value), 'character')})"
    return event


def make_visible(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write control characters of foreign texts as escapes; each entry stays one line, but for indented traces."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = visible_lines(value) if name == "exception" else visible(value)
    return event


def configure_logs(settings: Settings) -> None:
    """Send the service's log lines to standard error in the configured format."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    last: list[Any] = [structlog.processors.JSONRenderer()]
    if settings.log_format == "console":
        last = [make_visible, structlog.dev.ConsoleRenderer(colors=False)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info,
            clip,
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
