"""The guard around commands: whatever goes wrong is a sentence and an exit code, and a trace only with --debug."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from latcast.schema import InputError
from service.cli.guard import FAILED, INTERNAL, guarded, hoisted, missing_extra, with_homes
from service.cli.main import app
from tests.service.cli.test_main import latcast

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


@pytest.mark.parametrize("command", ["jobs --help", "bench nas --help", "targets --here", "targets --here --json -"])
def test_a_reader_that_goes_away_is_no_failure(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "service.cli.main", *command.split()], stdout=writing, stderr=subprocess.PIPE,
            check=False, text=True,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_sentences_are_no_results_where_their_stream_is_closed() -> None:
    shell = f"{sys.executable} -P -m service.cli.main profile nowhere.onnx 2>&-"
    ended = subprocess.run(["bash", "-c", shell], stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (FAILED, b"")


def failing(error: Exception) -> Callable[[], object]:
    def run() -> object:
        raise error

    return run


def not_utf8(text: str, encoding: str = "utf-8") -> UnicodeEncodeError:
    with pytest.raises(UnicodeEncodeError) as caught:
        text.encode(encoding)
    return caught.value


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("Wrong."), FAILED, "latcast: Wrong."),
        (PermissionError(13, "Permission denied", "/x/y"), FAILED, "'/x/y' cannot be used: Permission denied."),
        (OSError(28, "No space left on device"), FAILED, "The system refuses: No space left on device."),
        (ModuleNotFoundError("No module", name="sqlalchemy.orm"), FAILED, "pip install 'latcast[service]'"),
        (MemoryError(), FAILED, "not enough memory"),
        (not_utf8("x" * 99 + "\udcff"), FAILED, f"as texts that are sent have to be: '{'x' * 20}\\udcff'."),
        (not_utf8("\xb5", "ascii"), INTERNAL, "error, UnicodeEncodeError"),
        (ValueError("odd\x1b[2J\nlatcast: fine"), INTERNAL, "error, ValueError: odd\\x1b[2J\n  latcast: fine"),
        (ModuleNotFoundError("No module", name="something_else"), INTERNAL, "--debug"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_failure_is_a_sentence(error: Exception, code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(failing(error), debug=False) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert guarded(failing(error), debug=True) == code
    assert "Traceback" in capsys.readouterr().err


def test_what_is_done_is_zero_and_an_exit_passes() -> None:
    assert guarded(lambda: None, debug=False) == 0
    with pytest.raises(SystemExit, match="7"):
        guarded(lambda: sys.exit(7), debug=False)


def test_debug_may_stand_anywhere_before_two_dashes() -> None:
    assert hoisted(["predict", "a", "--debug", "--json", "-"]) == ["--debug", "predict", "a", "--json", "-"]
    assert hoisted(["predict", "--", "--debug"]) == ["predict", "--", "--debug"]
    assert hoisted(["--debug", "x", "--", "--debug"]) == ["--debug", "x", "--", "--debug"]
    assert hoisted([]) == []


def test_a_missing_module_names_the_extra() -> None:
    assert "latcast[service]" in str(missing_extra(ModuleNotFoundError("No module", name="sqlalchemy.orm")))
    assert "latcast[agent]" in str(missing_extra(ModuleNotFoundError("No module", name="onnxruntime")))
    assert missing_extra(ModuleNotFoundError("No module", name="something_else")) is None


def newer(folder: Path) -> None:
    latcast("keys", "list", LATCAST_DATA_DIR=str(folder))
    with sqlite3.connect(folder / "latcast.db") as database:
        database.execute("update alembic_version set version_num='9999'")


def foreign(folder: Path) -> None:
    with sqlite3.connect(folder / "latcast.db") as database:
        database.execute("create table job (name text)")


def no_database(folder: Path) -> None:
    (folder / "latcast.db").write_text("this is no database\n" * 100)


def nothing(folder: Path) -> None:
    pass


STATES: dict[str, tuple[Callable[[Path], None], str]] = {
    "newer": (newer, "made by a newer latcast .*9999.*upgrade latcast"),
    "foreign": (foreign, "tables of another program .job.*database of its own"),
    "no database": (no_database, "damaged: restore it from a copy"),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["keys", "list"], ["import", "t.csv"]], ids=" ".join)
@pytest.mark.parametrize("state", STATES)
def test_databases_that_cannot_be_used_are_sentences(state: str, command: list[str], tmp_path: Path) -> None:
    make, words = STATES[state]
    make(tmp_path)
    (tmp_path / "t.csv").write_text(f"target,space,text,ms\nphone,nasbench201,{CELL},3.5\n")
    arguments = [str(tmp_path / "t.csv") if argument == "t.csv" else argument for argument in command]
    done = latcast(*arguments, LATCAST_DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(words, done.stderr)
    assert "Traceback" not in done.stderr


def test_tables_of_another_program_are_left_as_they_were(tmp_path: Path) -> None:
    foreign(tmp_path)
    assert latcast("serve", "--port", "0", LATCAST_DATA_DIR=str(tmp_path)).returncode == 1
    with sqlite3.connect(tmp_path / "latcast.db") as database:
        assert database.execute("select name, sql from sqlite_master").fetchall() == [
            ("job", "CREATE TABLE job (name text)")
        ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LATCAST_DATABASE_URL": "mysql://me:secret@h/x"}, "not in 'mysql'"),
        ({"LATCAST_DATABASE_URL": "postgres://me:secret@127.0.0.1:9/x"}, r"cannot be reached.*me:\*\*\*@127.0.0.1"),
        ({"LATCAST_DATABASE_URL": "secret"}, "cannot be read"),
        ({"LATCAST_PORT": "many secret"}, "port: .*integer"),
        ({"LATCAST_LOG_LEVEL": "secret"}, "log_level: .*'debug'"),
        ({"LATCAST_DATA_DIR": "/proc/nothing/here"}, "cannot be kept in '/proc/nothing/here'"),
        ({"LATCAST_DATA_DIR": "/dev/null"}, "cannot be kept in '/dev/null'"),
        ({"LATCAST_DATA_DIR": "/proc"}, "cannot be kept in '/proc' .*name another folder"),
        ({"LATCAST_HOST": "300.1.1.1"}, "no address of this machine"),
    ],
)
def test_settings_that_cannot_be_used_are_sentences(environment: dict[str, str], words: str, tmp_path: Path) -> None:
    done = latcast("serve", "--port", "0", **{"LATCAST_DATA_DIR": str(tmp_path / "d"), **environment}) if (
        "LATCAST_PORT" not in environment
    ) else latcast("serve", **{"LATCAST_DATA_DIR": str(tmp_path / "d"), **environment})  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(words, done.stderr)
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


UNWRITABLE = [
    ["profile", "--space", "nasbench201", CELL, "--json", "OUT"],
    ["microbench", "--json", "OUT"],
    ["predict", "--space", "nasbench201", CELL, "--json", "OUT"],
    ["explain", "--space", "nasbench201", CELL, "--json", "OUT"],
    ["bench", "onnx", "--manifest", "m.jsonl", "--json", "OUT"],
    ["bench", "nas", "--json", "OUT"],
    ["demo", "--json", "OUT"],
    ["targets", "--here", "--json", "OUT"],
    ["agent", "--state", "OUT"],
    ["campaign", "--hours", "0.0001", "--no-microbench", "--out", "OUT"],
    ["demo", "--data", "OUT"],
]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", UNWRITABLE, ids=lambda arguments: " ".join(arguments[:2]))
def test_places_that_cannot_be_written_are_sentences(arguments: list[str]) -> None:
    done = latcast(*["/proc/nowhere/x" if argument == "OUT" else argument for argument in arguments])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "/proc/nowhere" in done.stderr


def test_a_terminal_without_our_letters_gets_escapes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service.cli.main", "targets", "--here"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()


NOBODY = ["--server", "http://127.0.0.1:1"]


@pytest.mark.parametrize(
    "command",
    ["adapt", "check --limit-ms 3 x", "cancel j", "devices", "explain x", "jobs", "measure x", "predict x", "quality",
     "targets", "targets --here", "upload x"],
)  # fmt: skip
def test_where_results_go_is_looked_at_before_anybody_is_asked(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, words in ((tmp_path / "none" / "out.json", "there is no folder"), (tmp_path, "it is a folder")):
        arguments = [*command.split(), "--json", str(place), *([] if "--here" in command else NOBODY)]
        assert guarded(lambda arguments=arguments: app(arguments), debug=False) == FAILED
        assert words in capsys.readouterr().err


def test_places_of_other_results_are_looked_at_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = str(tmp_path / "none" / "out")
    for arguments in (
        ["check", "x", "--limit-ms", "3", "--junit", f"{nowhere}.xml", *NOBODY],
        ["export", f"{nowhere}.csv", *NOBODY],
    ):
        assert guarded(lambda arguments=arguments: app(arguments), debug=False) == FAILED
        assert "there is no folder" in capsys.readouterr().err


def test_a_folder_that_was_removed_under_a_command_is_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert guarded(Path("data").absolute, debug=False) == FAILED
    assert (
        capsys.readouterr().err
        == "latcast: The folder that this command was started in is gone: start it in another one.\n"
    )


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("--data-dir=~/data", "--data-dir=/users/me/data"),
        ("--json=~", "--json=/users/me"),
        ("--json=a~/b", "--json=a~/b"),
        ("--shape=x=~/1", "--shape=x=~/1"),
        ("--key=~secret", "--key=~secret"),
        ("x=~/y", "x=~/y"),
        ("~/data", "~/data"),
    ],
)
def test_a_home_behind_an_options_equals_sign_is_found(
    monkeypatch: pytest.MonkeyPatch, argument: str, meant: str
) -> None:
    monkeypatch.setenv("HOME", "/users/me")
    assert with_homes(["serve", argument]) == ["serve", meant]
