"""A server on this machine answers its own clients, and no web page."""

import pytest

from streams.loopback import refusal, refusal_of


@pytest.mark.parametrize("host", [None, "127.0.0.1", "127.0.0.1:8123", "localhost:1", "LOCALHOST", "[::1]:9"])
@pytest.mark.parametrize("site", [None, "none"])
def test_a_client_of_this_machine_is_answered(host: str | None, site: str | None) -> None:
    assert refusal(host, None, site) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "desk.example"])
@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("https://example.org", None),
        ("http://127.0.0.1", None),
        ("null", None),
        ("", None),
        (None, "cross-site"),
        (None, "same-site"),
        (None, "same-origin"),
        (None, "NONE"),
        (None, ""),
    ],
)
def test_a_web_page_is_refused_whatever_the_host(host: str, origin: str | None, site: str | None) -> None:
    for any_host in (False, True):
        assert refusal(host, origin, site, any_host=any_host) == "This address serves no web pages."


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "127.0.0.1@x.example", "[", "0.0.0.0", "x:1"])
def test_another_name_is_another_machine(host: str) -> None:
    assert refusal(host, None, None) is not None
    assert refusal(host, None, None, any_host=True) is None


def test_headers_are_read_by_name() -> None:
    assert refusal_of({"Host": "localhost"}) is None
    assert refusal_of({"Host": "localhost", "Origin": "null"}) is not None
    assert refusal_of({"Sec-Fetch-Site": "cross-site"}) is not None
    assert refusal_of({"Host": "example.org"}) is not None
