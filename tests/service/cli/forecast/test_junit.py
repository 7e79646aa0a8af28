"""Verdicts as JUnit XML."""

from xml.etree import ElementTree

from service.cli.forecast.junit import Case, junit_xml


def test_failures_and_errors_are_counted_and_told() -> None:
    cases = [
        Case(name="good", group="pi", seconds=0.001),
        Case(name='<bad> "&"', group="pi", seconds=0.5, failure="Above 20 ms."),
        Case(name="ill\x00\x1b[31m", group="pi", seconds=0.0, failure="No model.", error=True),
    ]
    suite = ElementTree.fromstring(junit_xml("latcast check", cases))  # noqa: S314 - our own
    assert {name: suite.get(name) for name in ("name", "tests", "failures", "errors")} == {
        "name": "latcast check", "tests": "3", "failures": "1", "errors": "1"
    }  # fmt: skip
    good, bad, ill = suite
    assert (good.get("time"), len(good)) == ("0.001000", 0)
    assert bad.get("name") == '<bad> "&"'
    assert [(child.tag, child.get("message")) for child in bad] == [("failure", "Above 20 ms.")]
    assert ill[0].tag == "error"
    assert "\N{REPLACEMENT CHARACTER}" in str(ill.get("name"))
