"""Every setting: the parser of its text, the expectation named in errors, and its meaning."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PREFIX = "DESKWATCH_"
"""Of every variable; a TOML file has the rest of the name, in lower case."""


class Option(NamedTuple):
    """The parser and the meaning of one setting.

    `parse` raises ValueError; `expected` ends the sentence "… is not …"; `meaning` is for the documentation.
    """

    parse: Callable[[str], Any]
    expected: str
    meaning: str
    secret: bool = False


def _addresses(text: str) -> str:
    for address in text.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not 0 < int(port) < 65536:
            raise ValueError
    return text


def _url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.password or url.query:
        raise ValueError
    return f"{url.scheme}://{url.netloc}" if url.port else f"{url.scheme}://{url.netloc}:8123"


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return parse


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _between(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    return parse


def _name(text: str) -> str:
    if not text.isidentifier() or not text.isascii():
        raise ValueError
    return text


def _yes_or_no(text: str) -> bool:
    return _one_of("yes", "no")(text) == "yes"


def _board(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.password:
        raise ValueError
    return text


def _host(text: str) -> str:
    if not text or set(text) & set("/@ \t"):
        raise ValueError
    return text


def _path(text: str) -> Path:
    if not text:
        raise ValueError
    return Path(text).expanduser()


OPTIONS: dict[str, Option] = {
    "broker": Option(
        _addresses,
        "host:port, or several separated by commas: the Kafka brokers",
        "Kafka: `host:port`, several separated by commas.",
    ),
    "clickhouse": Option(
        _url,
        "a URL http://host:port (user and password: DESKWATCH_CLICKHOUSE_USER, …_PASSWORD)",
        "ClickHouse's HTTP interface; port 8123 if none is named.",
    ),
    "clickhouse_user": Option(str, "a user's name", "User for ClickHouse."),
    "clickhouse_password": Option(str, "a password", "Password of this user.", secret=True),
    "database": Option(_name, "a ClickHouse database's name (letters, digits, _)", "Database that holds the tables."),
    "policy": Option(
        _path, "a policy file, or a directory of them", "Policy file, or directory of versions; unset: the default one."
    ),
    "data": Option(
        _path, "a directory for the embedded stack's data", "Directory of the embedded stack and of the workers' files."
    ),
    "clock": Option(
        _one_of("wall", "log"),
        "wall (a running desk) or log (a replay)",
        "`wall`: a running desk. `log`: a replay, in which time is that of the events.",
    ),
    "partitions": Option(
        _between(1, 1024),
        "a number of partitions from 1 to 1024, the same for all input topics",
        "Partitions of every topic, for the whole life of the topics.",
    ),
    "replication": Option(
        _between(1, 9),
        "a replication factor for new topics, from 1 to 9",
        "Replication factor of topics that are created.",
    ),
    "session": Option(
        _between(2, 60),
        "2 to 60 seconds, after which a silent worker's partitions go to others",
        "Seconds after which the partitions of a silent worker go to others; 4 on the embedded stack. Apache Kafka "
        "takes no fewer than its `group.min.session.timeout.ms`.",
    ),
    "dead_letter_ratio": Option(
        _share,
        "a share from 0 to 1: more dead letters stop the worker (1: they never do)",
        "A worker stops when more than this share of the last records are no events; `1`: never.",
    ),
    "dead_letter_run": Option(
        _between(1, 1_000_000),
        "a number of records from 1 to 1,000,000, to take the share of",
        "How many records `DESKWATCH_DEAD_LETTER_RATIO` is a share of.",
    ),
    "cached_subjects": Option(
        _between(0, 100_000_000),
        "a number of tickets, calls … that track holds unpacked",
        "Maximum number of subjects (tickets, calls …) that track keeps hydrated in memory, some 6 KB each; the rest "
        "are kept compressed. A higher number is faster.",
    ),
    "restate": Option(
        _yes_or_no, "yes or no: whether a policy may change what was written", "`yes`: as `deskwatch run --restate`."
    ),
    "metrics_port": Option(
        _between(0, 65535), "a port for the metrics page (0: none)", "Port of a role's Prometheus page; `0`: none."
    ),
    "metrics_host": Option(
        _host, "an address to serve the metrics page at (127.0.0.1: this machine only)", "Address of that page."
    ),
    "notify": Option(
        _yes_or_no,
        "yes or no: whether warnings of a replay are sent to receivers, too",
        "`yes`: a replay sends messages, too (`--notify`).",
    ),
    "board_url": Option(_board, "the URL http(s)://… of the board, to link to in messages", "What messages link to."),
    "api_port": Option(
        _between(0, 65535), "a port for the API of role escalate (0: none)", "Port of role escalate's API; `0`: none."
    ),
    "api_host": Option(_host, "an address to serve the API at (127.0.0.1: this machine only)", "Address of that API."),
    "api_token": Option(str, "a token that the API asks for", "Token that the API asks for.", secret=True),
}

RENAMED = {"awake": "cached_subjects"}
"""By its old name, a setting that was renamed: the old name is read for one more release, with a warning."""
