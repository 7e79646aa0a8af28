"""Parts of a long result, kept beside it until all are there: whoever is killed goes on with what is left."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from latcast.schema import InputError

__all__ = ["Parts", "open_parts"]

PLAN, LOCK = "plan.json", "lock"


class Parts:
    """The folder of a result's parts; made by `open_parts`, which holds it.

    Args:
        folder: of the parts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def plan(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was planned when the work was begun; None where it is not begun.

        Args:
            asked: what is wanted now, in JSON values.

        Raises:
            InputError: the parts are of other work.
        """
        try:
            plan: dict[str, Any] = json.loads((self._folder / PLAN).read_text())
        except FileNotFoundError:
            return None
        if plan["asked"] != json.loads(json.dumps(asked)):
            differs = ", ".join(sorted(name for name in asked if plan["asked"].get(name) != asked[name]))
            raise InputError(
                f"{self._folder} has parts of a result that was begun with other options ({differs}): give the same "
                "ones to go on with it, or remove the folder to begin anew."
            )
        return plan

    def begin(self, plan: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Keep a plan, and the files that it names, from which all parts are made.

        Args:
            plan: JSON values, `asked` among them.
            files: content by name.
        """
        for name, content in files.items():
            _write(self._folder / name, content)
        _write(self._folder / PLAN, json.dumps(plan).encode())

    def file(self, name: str) -> bytes:
        """A file of the plan."""
        return (self._folder / name).read_bytes()

    def done(self, number: int) -> bool:
        """Whether this part is there."""
        return self._path(number).exists()

    def failed(self, number: int) -> int:
        """How many rows of the part have an error."""
        errors = pq.read_table(self._path(number), columns=["error"])["error"]
        return len(errors) - int(errors.null_count)

    def keep(self, number: int, table: pa.Table) -> None:
        """Keep a part; once it has its name, it is whole."""
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer)
        _write(self._path(number), buffer.getvalue())

    def join(self, out: Path, count: int) -> int:
        """Write the parts in order into one file, and remove them; the number of its rows.

        Args:
            out: takes its name when it is whole.
            count: number of parts.
        """
        draft, rows = self._folder / "joined.parquet", 0
        with pq.ParquetWriter(draft, pq.read_schema(self._path(0))) as writer:
            for number in range(count):
                table = pq.read_table(self._path(number))
                writer.write_table(table)
                rows += len(table)
        draft.replace(out)
        shutil.rmtree(self._folder)
        return rows

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:06}.parquet"


@contextmanager
def open_parts(out: Path) -> Iterator[Parts]:
    """The parts of a result, for this process alone.

    Args:
        out: the result's file; the parts lie beside it in a folder of its name and `.parts`.

    Raises:
        InputError: another process works on them.
    """
    folder = out.with_name(f"{out.name}.parts")
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Parts(folder)
    except BlockingIOError:
        raise InputError(f"Another process is writing {out}: wait for it, or give another name.") from None
    except BaseException:
        if not (folder / PLAN).exists():  # nothing was begun that could be gone on with
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes | pa.Buffer) -> None:
    """Write a file that is whole as soon as it has its name, after a failure of power, too."""
    draft = path.with_name(f".{path.name}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
