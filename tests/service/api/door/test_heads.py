"""Headers are found by name, the first of several, and where there is none that is said."""

from service.api.door.heads import header


def test_a_header_is_found_by_its_name() -> None:
    scope = {
        "type": "http",
        "headers": [(b"host", b"one"), (b"x-name", "caf\xe9".encode("latin-1")), (b"host", b"two")],
    }
    assert header(scope, b"host") == "one"
    assert header(scope, b"x-name") == "caf\xe9"
    assert header(scope, b"origin") is None
