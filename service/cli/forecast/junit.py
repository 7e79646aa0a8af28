"""Verdicts as JUnit XML, the format of test results that continuous integration shows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

__all__ = ["Case", "junit_xml"]

NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold, escaped or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test.

    Args:
        name: of what was tested.
        group: what it belongs to, the class name of JUnit.
        seconds: what is shown as its time.
        failure: why it failed; empty where it passed.
        error: it could not be tested, rather than failed.
    """

    name: str
    group: str
    seconds: float
    failure: str = ""
    error: bool = False


def junit_xml(suite: str, cases: Sequence[Case]) -> str:
    """The cases as one test suite."""
    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(cases)),
        failures=str(sum(bool(case.failure) and not case.error for case in cases)),
        errors=str(sum(case.error for case in cases)),
    )
    for case in cases:
        element = ElementTree.SubElement(
            root, "testcase", name=_xml(case.name), classname=_xml(case.group), time=f"{case.seconds:.6f}"
        )
        if case.failure:
            kind = "error" if case.error else "failure"
            ElementTree.SubElement(element, kind, message=_xml(case.failure)).text = _xml(case.failure)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    return NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
