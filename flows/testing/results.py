"""The results of the tests of files: for people, for programs, and as JUnit's XML. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import msgspec


class FoundDifference(msgspec.Struct):
    """Something that is not as expected."""

    line: int
    """Of the expectation."""
    path: str
    """Of its key: `expect.documents[0].id`."""
    expected: str
    actual: str


class OneResult(msgspec.Struct):
    """One test."""

    name: str
    line: int
    passed: bool
    seconds: float
    differences: list[FoundDifference]


class FileResult(msgspec.Struct):
    """The tests of one file."""

    file: str
    pipeline: str
    tests: list[OneResult]


class Tested(msgspec.Struct):
    """What `hopper test --json` prints."""

    passed: bool
    """All tests have passed."""
    files: list[FileResult]

    @property
    def tests(self) -> list[OneResult]:
        """Those of all files."""
        return [test for file in self.files for test in file.tests]

    @property
    def failed(self) -> int:
        """How many tests have failed."""
        return sum(not test.passed for test in self.tests)


def lines_of(file: str, difference: FoundDifference) -> Iterator[str]:
    """Describe a difference in three lines."""
    yield f"{file}:{difference.line}: {difference.path}"
    yield f"  expected: {difference.expected}"
    yield f"  actual:   {difference.actual}"


def junit(tested: Tested) -> bytes:
    """Return the results as CI servers read them: JUnit's XML."""
    root = ElementTree.Element("testsuites", _counts(tested.tests))
    for file in tested.files:
        suite = ElementTree.SubElement(
            root, "testsuite", {"name": file.file, **_counts(file.tests)}
        )
        for test in file.tests:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                name=test.name,
                classname=file.file,
                file=file.file,
                line=str(test.line),
                time=f"{test.seconds:.3f}",
            )
            if not test.passed:
                shown = [line for one in test.differences for line in lines_of(file.file, one)]
                failure = ElementTree.SubElement(case, "failure", message=shown[0])
                failure.text = "\n".join(shown)
    ElementTree.indent(root)
    encoded: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return encoded + b"\n"


def _counts(tests: list[OneResult]) -> dict[str, str]:
    return {
        "tests": str(len(tests)),
        "failures": str(sum(not test.passed for test in tests)),
        "time": f"{sum(test.seconds for test in tests):.3f}",
    }
