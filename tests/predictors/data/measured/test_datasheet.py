"""The datasheet says what the rows say."""

from predictors.data.measured import About
from predictors.data.measured.datasheet import datasheet
from tests.predictors.data.measured.rows import ROWS, TARGETS, row


def test_the_datasheet_says_what_the_rows_say() -> None:
    text = datasheet(ROWS, TARGETS, About(licence="CC-BY-4.0", notes=("The window was open.",)))
    for expected in (
        "6 measurements of 4 ONNX graphs on 2 targets of 1 machine",
        "| fake fp32 1 thread | 1 | 1 | 1 | 1 | 9.5% | 1 | 0 | yes |",
        "| fake fp32 2 threads | 0 | 1 | 0 | 0 | – | 0 | 1 | no |",
        "| zoo/plain | 3 | 2 |",
        "between 1 and 4 ms",
        "timeout (1)",
        "Sample 9000, x86_64, 2 cores, 16 GiB, L2 1,024 KiB",
        "python 3.11.7",
        "2023-11-14",
        "Careful rows (1)",
        "Quick rows (5)",
        "before and after 1 of the rows",
        "The window was open.",
        "1 pair: |a − b| / mean is 9.5%",
        "differ by 4.0% at the median",
        "1 row of 6",
        "any more: 1 are",
        "more than 2 threads",
        "virtual",
        "Licence: CC-BY-4.0",
    ):
        assert expected in text


def test_the_datasheet_follows_the_rows() -> None:
    text = datasheet([row(7)], TARGETS, About())
    assert "1 measurement" in text
    assert "on 1 target of 1 machine" in text
    assert "threads |" not in text
    assert "Licence: none was given" in text
    assert "Failures" not in text
