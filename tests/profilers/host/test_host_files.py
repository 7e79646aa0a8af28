"""Files of a host, read as they are there or are not."""

from collections.abc import Callable
from pathlib import Path

from profilers.host.host_files import HostFiles, expand_list, psutil_memory


def test_lists_of_cpus_have_ranges() -> None:
    assert list(expand_list("0-3,8")) == [0, 1, 2, 3, 8]
    assert list(expand_list("")) == []


def test_a_file_is_read_as_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("a name\0\n")
    (tmp_path / "number1").write_text("-12\n")
    (tmp_path / "number2").write_text("7\n")
    (tmp_path / "fields").write_text('MemTotal:  3 kB\nPRETTY = "Some System"\n')
    files = HostFiles(tmp_path)
    assert files.text("text") == "a name"
    assert files.number("number1") == -12
    assert files.number("text") is None
    assert files.numbers("number*") == [-12, 7]
    assert files.field("fields", "PRETTY") == "Some System"
    assert files.kib("fields", "MemTotal") == 3 * 1024


def test_what_is_missing_is_empty(tmp_path: Path) -> None:
    files = HostFiles(tmp_path)
    assert (files.text("no"), files.number("no"), files.numbers("no*"), files.kib("no", "key")) == ("", None, [], None)
    assert (files.governor(), files.memory_limit(), list(files.groups("cpu"))) == ("", None, [])


def test_the_narrowest_limit_of_a_container_counts(host: Callable[[str], Path]) -> None:
    limit = HostFiles(host("container")).memory_limit()
    assert limit is not None
    assert limit[0] == 2147483648


def test_psutil_says_what_linux_files_do_not() -> None:
    total, available = psutil_memory()
    assert 0 < available <= total
