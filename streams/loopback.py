"""Which HTTP requests a server on this machine answers: none that a web page may have sent. PURE.

A page in a browser on this machine can send requests to every port of it: as script, image, form, fetch, frame or
navigation, whatever site it is from. It cannot choose these headers:

| header           | a page's request                          | clickhouse-connect, curl, Grafana, Prometheus |
|------------------|-------------------------------------------|-----------------------------------------------|
| `Origin`         | with every POST, fetch and WebSocket       | none                                          |
| `Sec-Fetch-Site` | `cross-site`, `same-site`, `same-origin`  | none; `none`: a person typed the address      |
| `Host`           | the page's own name, after DNS rebinding  | this machine                                  |

https://www.w3.org/TR/fetch-metadata/, https://fetch.spec.whatwg.org/#origin-header
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

HOST = "127.0.0.1"
NAMES = (HOST, "localhost", "::1")
"""Host names of this machine's loopback interface."""


def refusal(host: str | None, origin: str | None, fetch_site: str | None, *, any_host: bool = False) -> str | None:
    """Why a request with these headers (None: absent) is refused, as a sentence; None if it is answered.

    `any_host`: the server is meant to be reached by other names, too.
    """
    if origin is not None or fetch_site not in (None, "none"):
        return "This address serves no web pages."
    if not any_host and host and _name(host) not in NAMES:
        return "This address serves this machine only: call it 127.0.0.1 or localhost."
    return None


def refusal_of(headers: Mapping[str, str], *, any_host: bool = False) -> str | None:
    """The same for the headers of a request, whose names are in any case."""
    return refusal(headers.get("Host"), headers.get("Origin"), headers.get("Sec-Fetch-Site"), any_host=any_host)


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # [ without ]
        return None
