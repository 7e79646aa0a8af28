"""One table says how each error travels as a problem, and what a problem is read as."""

from collections.abc import Iterator

import pytest

from latcast import errors, schema
from latcast.errors import PROBLEMS, URN, ConflictError, RateLimitedError, ServiceError, UnavailableError
from latcast.errors import error_of_problem as read
from latcast.schema import InputError, LatcastError, UnsupportedOperatorError


def tree(root: type[LatcastError]) -> Iterator[type[LatcastError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def published() -> set[type[LatcastError]]:
    names = [getattr(module, name) for module in (schema, errors) for name in module.__all__]
    return {cls for cls in names if isinstance(cls, type) and issubclass(cls, LatcastError)}


def test_every_published_error_has_a_problem_of_its_own() -> None:
    assert set(PROBLEMS) == published()
    assert {cls for cls in tree(LatcastError) if cls.__module__.startswith("latcast.")} == published()
    slugs = [kind.slug for cls, kind in PROBLEMS.items() if cls is not LatcastError]
    assert len(slugs) == len(set(slugs))


def test_statuses_follow_the_tree() -> None:
    for cls, kind in PROBLEMS.items():
        if issubclass(cls, InputError):
            assert kind.status == 422
        if issubclass(cls, ServiceError):
            assert kind.status == cls.status


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InputError),
        (404, errors.NotFoundError),
        (405, ServiceError),
        (409, ConflictError),
        (429, RateLimitedError),
        (500, ServiceError),
        (502, UnavailableError),
        (504, UnavailableError),
    ],
)
def test_a_slug_that_nobody_knows_is_read_by_the_status(status: int, error: type[LatcastError]) -> None:
    assert type(read({"type": URN + "of-a-newer-service", "detail": "d"}, status=status)) is error


def test_the_slug_counts_more_than_the_status() -> None:
    assert type(read({"type": URN + "lease-lost", "detail": "d"}, status=500)) is errors.LeaseLostError


def test_what_is_no_problem_of_ours_is_refused() -> None:
    for problem in ({"detail": "d"}, {"type": URN + "input"}, {"type": URN + "unsupported-operator", "detail": "d"}):
        with pytest.raises(KeyError):
            read(problem, status=422)
    problem = {"type": URN + "unsupported-operator", "detail": "d", "operators": ["A", "B"]}
    error = read(problem, status=422)
    assert isinstance(error, UnsupportedOperatorError)
    assert error.operators == ("A", "B")
