"""Tables are readable at any width: every value is there, whole, and markup in it means nothing."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from service.cli.tables import (
    UNLIMITED,
    Column,
    names,
    numbers,
    output,
    print_pairs,
    print_table,
    prose,
    say,
    say_whole,
    shortened,
)

TEXT = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
COLUMNS = [names("network"), numbers("ms"), numbers("90 % interval"), Column("source")]
ROWS = [
    (TEXT, "3.201", "2.900 – 3.500", "predicted, not adapted"),
    ("[red]m[/red].onnx", "1.000", "", Text("measured")),
]


def console(width: int, *, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)


def printed(width: int, columns: list[Column], rows: list[tuple[object, ...]], **options: object) -> str:
    out = console(width, **options)  # type: ignore[arg-type]
    print_table(columns, rows, out=out)  # type: ignore[arg-type]
    return out.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("width", [30, 60, 80, 100, 120, 200])
def test_no_value_is_cut_at_any_width(width: int, terminal: bool) -> None:
    text = printed(width, COLUMNS, ROWS, terminal=terminal)
    assert [line for line in text.splitlines() if len(line) > width and len(line.split()) > 1] == []
    assert "…" not in text
    for value in (TEXT, "3.201", "2.900 – 3.500", "1.000", "[red]m[/red].onnx", "measured", "predicted, not adapted"):
        assert value in text
    for header in ("network", "ms", "90 % interval", "source"):
        assert header in text


def test_a_table_that_fits_has_a_line_for_each_row() -> None:
    lines = printed(200, COLUMNS, ROWS).splitlines()
    assert [line.split()[0] for line in lines] == ["network", TEXT, "[red]m[/red].onnx"]
    assert lines[0].index("source") == lines[1].index("predicted") == lines[2].index("measured")


def test_names_that_would_be_wrapped_often_stand_above_their_figures() -> None:
    lines = printed(80, COLUMNS, ROWS).splitlines()
    assert lines[1] == TEXT, "a name is never broken"
    assert lines[2].split() == ["3.201", "2.900", "–", "3.500", "predicted,", "not", "adapted"]
    assert lines[3].split() == ["[red]m[/red].onnx", "1.000", "measured"], "one line where the name fits"


def test_where_no_name_fits_figures_are_indented_below_it() -> None:
    lines = printed(80, COLUMNS, [(TEXT, "3.2", "", "measured"), (TEXT + "b", "1.0", "", "measured")]).splitlines()
    assert [line.split() for line in lines[:2]] == [["network"], ["ms", "90", "%", "interval", "source"]]
    assert lines[2:] == [TEXT, "  3.2                 measured", TEXT + "b", "  1.0                 measured"]


def test_names_that_fit_on_two_lines_are_wrapped_in_their_column_at_blanks() -> None:
    name = "onnxruntime 1.32.0 fp32 1 thread optimisation=all spinning=off"
    lines = printed(60, [names("target"), numbers("ms")], [(name, "1.0"), ("b", "2.0")]).splitlines()
    assert lines[1].split() == [*name.split()[:-1], "1.0"]
    assert lines[2].split() == ["spinning=off"]


def test_through_a_pipe_each_row_is_a_line_with_very_long_names_behind_their_figures() -> None:
    assert printed(UNLIMITED, COLUMNS, [("a" * 99, "1", "2", "3")]).splitlines()[1].split() == ["a" * 99, "1", "2", "3"]
    lines = printed(UNLIMITED, COLUMNS, [("a" * 300, "1", "2", "3"), ("b", "4.5", "6", "")]).splitlines()
    assert lines == [
        " ms  90 % interval  source  network",
        "  1              2  3       " + "a" * 300,
        "4.5              6          b",
    ]


def test_rows_whose_names_fit_beside_their_figures_stay_on_one_line() -> None:
    columns = [names("network"), numbers("ms"), Column("flag")]
    rows = [("m.onnx", "1.5", "noisy"), ("zoo/" + "x" * 60, "12.25", ""), ("net.onnx", "3", "")]
    for terminal in (False, True):
        lines = printed(40, columns, rows, terminal=terminal).splitlines()
        assert [line.rstrip() for line in lines] == [
            "network      ms  flag",
            "m.onnx      1.5  noisy",
            "zoo/" + "x" * 60,
            "          12.25",
            "net.onnx      3",
        ]


def test_of_several_columns_of_names_the_widest_alone_leaves_its_row() -> None:
    columns = [names("operator"), names("node"), numbers("share"), numbers("ms")]
    rows = [("Conv", "layer/1", "60%", "1.5"), ("ReorderOutput", "y", "30%", "0.75"), ("Relu", "z", "10%", "0.25")]
    for terminal in (False, True):
        lines = printed(32, columns, rows, terminal=terminal).splitlines()
        assert [line.rstrip() for line in lines] == [
            "operator  node     share    ms",
            "Conv      layer/1    60%   1.5",
            "ReorderOutput",
            "          y          30%  0.75",
            "Relu      z          10%  0.25",
        ]


def test_of_labelled_values_only_those_that_do_not_fit_stand_below_their_labels() -> None:
    pairs = [("job", "[17]"), ("graph", "g1-" + "0" * 40), ("waits because", "no agent has come since noon")]
    for terminal in (False, True):
        out = console(32, terminal=terminal)
        print_pairs(pairs, out=out)
        assert [line.rstrip() for line in out.file.getvalue().splitlines()] == [  # type: ignore[attr-defined]
            "job            [17]",
            "graph",
            "    g1-" + "0" * 40,
            "waits because  no agent has come",
            "               since noon",
        ]


def test_wide_texts_move_above_the_figures_where_these_would_not_fit_beside_them() -> None:
    columns = [names("network"), Column("graph"), numbers("nodes")]
    lines = printed(40, columns, [("m.onnx", "g1-" + "0" * 36, "17"), ("b", "g1-" + "1" * 36, "5")]).splitlines()
    assert lines == [
        "network  graph", "  nodes",
        "m.onnx", "g1-" + "0" * 36, "     17",
        "b", "g1-" + "1" * 36, "      5",
    ]  # fmt: skip


def test_texts_above_figures_share_a_line_where_they_fit_whole_and_sentences_stay_below() -> None:
    columns = [names("network"), Column("graph"), numbers("nodes"), prose("parameters")]
    rows = [("m.onnx", "g1-" + "0" * 36, "17", "4.1 k float32: 16 KiB"), ("b", "g1-" + "1" * 30, "5", "none")]
    assert printed(42, columns, rows).splitlines() == [
        "network  graph", "  nodes  parameters",
        "m.onnx", "g1-" + "0" * 36, "     17  4.1 k float32: 16 KiB",
        "b  g1-" + "1" * 30, "      5  none",
    ]  # fmt: skip


def test_sentences_that_do_not_fit_stand_below_what_they_are_said_of() -> None:
    columns = [Column("when"), Column("to"), prose("detail")]
    rows = [
        ("2026-11-30", "a" * 20, "name vm"),
        ("2026-11-29", "b" * 20, ""),
        ("1", "c", "one two three four five six seven"),
    ]
    assert printed(34, columns, rows).splitlines() == [
        "  when        to", "    detail",
        "  2026-11-30  " + "a" * 20, "    name vm",
        "  2026-11-29  " + "b" * 20,
        "  1           c", "    one two three four five six", "    seven",
    ]  # fmt: skip


def test_rows_that_fit_in_no_other_way_become_blocks() -> None:
    text = printed(12, [Column("first"), Column("second")], [("aaaaaa", "bbbbbb"), ("c", "d")])
    assert text.splitlines() == ["first:", "aaaaaa", "second:", "bbbbbb", "", "first: c", "second: d"]


def test_sentences_are_wrapped_at_words() -> None:
    lines = printed(40, [Column("backend"), prose("because")], [("tract", "one two three four five six seven eight")])
    assert lines.splitlines()[1:] == ["tract    one two three four five six", "         seven eight"]


def test_lines_have_no_blanks_at_their_ends() -> None:
    text = printed(80, [Column("a"), Column("b")], [("x", ""), ("long", "y")])
    assert text.splitlines() == ["a     b", "x", "long  y"]


def test_pairs_have_no_header() -> None:
    out = console(80)
    print_pairs([("median", "1 ms"), ("p10 … p90", Text("0.9 ms"))], out=out, title="latency")
    assert out.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "", "latency", "median     1 ms", "p10 … p90  0.9 ms"
    ]  # fmt: skip


def test_a_line_to_copy_is_never_wrapped() -> None:
    for terminal in (False, True):
        out = console(20, terminal=terminal)
        say_whole("latcast measure --space zoo '[x]'", out)
        assert out.file.getvalue() == "latcast measure --space zoo '[x]'\n"  # type: ignore[attr-defined]


def test_a_sentence_keeps_its_brackets() -> None:
    out = console(UNLIMITED)
    say("[bold]x[/bold] " + "word " * 100, out)
    assert out.file.getvalue() == ("[bold]x[/bold] " + "word " * 100).rstrip() + "\n"  # type: ignore[attr-defined]


def test_a_pipe_is_as_wide_as_its_lines_unless_columns_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert output().width == UNLIMITED
    monkeypatch.setenv("COLUMNS", "80")
    assert output().width == 80


@pytest.mark.parametrize("columns", ["0", "00", "-5", "", "wide"])
def test_a_width_in_which_nothing_could_be_printed_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    """Schedulers and shells without a terminal set COLUMNS=0: the whole answer was lost."""
    monkeypatch.setenv("COLUMNS", columns)
    print_table(COLUMNS, ROWS, out=output())
    assert TEXT in capsys.readouterr().out


@pytest.mark.parametrize(("name", "length"), [("abcdefghij", 10), ("abcdefghij", 9), ("abcdefghij", 4), ("x" * 99, 32)])
def test_a_long_name_gives_way_in_its_middle(name: str, length: int) -> None:
    short = shortened(name, length)
    assert len(short) == min(length, len(name))
    if len(name) > length:
        head, tail = short.split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        assert abs(len(head) - len(tail)) <= 1


GRAPHS = [f"g1-{digits.ljust(64, '0')}" for digits in ("3f0c9a12ab", "3f0c9a12cd", "99e5b1437a")]
STORED = [names("network"), Column("graph"), numbers("nodes"), numbers("MACs"), prose("parameters")]


def stored(graphs: list[str]) -> list[tuple[object, ...]]:
    return [(f"net{place}.onnx", graph, "1,234", "1.44 G", "1.44 M float32: 5.5 MiB")
            for place, graph in enumerate(graphs)]  # fmt: skip


@pytest.mark.parametrize("terminal", [False, True])
def test_hashes_of_graphs_are_shown_by_their_beginnings_where_the_table_is_too_wide(terminal: bool) -> None:
    lines = printed(80, STORED, stored(GRAPHS), terminal=terminal).splitlines()
    assert [line.split()[1] for line in lines[1:]] == [graph[:13] for graph in GRAPHS]
    assert len(lines) == 4, "a line for each network"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [160, UNLIMITED])
def test_hashes_are_whole_where_there_is_room_and_through_a_pipe(width: int) -> None:
    assert [line.split()[1] for line in printed(width, STORED, stored(GRAPHS)).splitlines()[1:]] == GRAPHS


def test_beginnings_of_hashes_are_long_enough_to_tell_them_apart() -> None:
    graphs = [GRAPHS[0], f"{GRAPHS[0][:17]}f{GRAPHS[0][18:]}", GRAPHS[0]]
    lines = printed(80, STORED, stored(graphs)).splitlines()
    assert [line.split()[1] for line in lines[1:]] == [graph[:18] for graph in graphs]


def test_only_whole_hashes_are_shortened() -> None:
    texts = [f"{GRAPHS[0]}.onnx", GRAPHS[0][:-1], f"of/{GRAPHS[0]}"]
    shown = printed(40, [names("network"), numbers("ms")], [(text, "1.0") for text in texts])
    assert all(text in shown for text in texts)
