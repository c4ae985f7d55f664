"""What an installation sets: addresses, credentials, paths; one frozen object, read once at the start.

From the environment (`DESKWATCH_BROKER`), or from a TOML file that `DESKWATCH_CONFIG` names (`broker = "…"`), where the
environment wins. A secret may stand in a file of its own: `DESKWATCH_CLICKHOUSE_PASSWORD_FILE`. What a supervisor
changes is not here but in the policy.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

PREFIX = "DESKWATCH_"


class SettingsError(ValueError):
    """A setting that cannot be used: one sentence with its name and what was expected; never a secret's value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. Each field is described in OPTIONS."""

    broker: str = "127.0.0.1:9092"
    clickhouse: str = "http://127.0.0.1:8123"
    clickhouse_user: str = "default"
    clickhouse_password: str = field(default="", repr=False)
    database: str = "deskwatch"
    policy: Path | None = None
    data: Path = Path("data")
    clock: Literal["wall", "log"] = "wall"
    partitions: int = 4
    replication: int = 1
    session: int = 6
    dead_letter_ratio: float = 0.5
    dead_letter_run: int = 1000
    cached_subjects: int = 12_000
    restate: bool = False
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"
    notify: bool = False
    board_url: str = ""
    api_port: int = 0
    api_host: str = "127.0.0.1"
    api_token: str = field(default="", repr=False)
    receivers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Option(NamedTuple):
    """How one setting is read: `parse` raises ValueError, `expected` ends the sentence "… is not …"."""

    parse: Callable[[str], Any]
    expected: str
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


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError
    return text == "yes"


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
    "broker": Option(_addresses, "host:port, or several separated by commas: the Kafka brokers"),
    "clickhouse": Option(_url, "a URL http://host:port (user and password: DESKWATCH_CLICKHOUSE_USER, …_PASSWORD)"),
    "clickhouse_user": Option(str, "a user's name"),
    "clickhouse_password": Option(str, "a password", secret=True),
    "database": Option(_name, "a ClickHouse database's name (letters, digits, _)"),
    "policy": Option(_path, "a policy file, or a directory of them"),
    "data": Option(_path, "a directory for the embedded stack's data"),
    "clock": Option(_one_of("wall", "log"), "wall (a running desk) or log (a replay)"),
    "partitions": Option(_between(1, 1024), "a number of partitions from 1 to 1024, the same for all input topics"),
    "replication": Option(_between(1, 9), "a replication factor for new topics, from 1 to 9"),
    "session": Option(_between(2, 60), "2 to 60 seconds, after which a silent worker's partitions go to others"),
    "dead_letter_ratio": Option(_share, "a share from 0 to 1: more dead letters stop the worker (1: they never do)"),
    "cached_subjects": Option(_between(0, 100_000_000), "a number of tickets, calls … that track holds unpacked"),
    "dead_letter_run": Option(_between(1, 1_000_000), "a number of records from 1 to 1,000,000, to take the share of"),
    "restate": Option(_yes, "yes or no: whether a policy may change what was written"),
    "metrics_port": Option(_between(0, 65535), "a port for the metrics page (0: none)"),
    "metrics_host": Option(_host, "an address to serve the metrics page at (127.0.0.1: this machine only)"),
    "notify": Option(_yes_or_no, "yes or no: whether warnings of a replay are sent to receivers, too"),
    "board_url": Option(_board, "the URL http(s)://… of the board, to link to in messages"),
    "api_port": Option(_between(0, 65535), "a port for the API of role escalate (0: none)"),
    "api_host": Option(_host, "an address to serve the API at (127.0.0.1: this machine only)"),
    "api_token": Option(str, "a token that the API asks for", secret=True),
}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises SettingsError.

    Variables that end in `_URL` belong to the policy's receivers (`url_env`) and are kept in `receivers` by their name;
    they may be `…_URL_FILE` too.
    """
    found = os.environ if environ is None else environ
    variables = {name: value for name, value in found.items() if name.startswith(PREFIX)}
    config = variables.pop(f"{PREFIX}CONFIG", None)
    values: dict[str, Any] = {}
    receivers: dict[str, str] = {}
    for given in ((_from_file(Path(config)) if config else {}), _by_key(variables)):
        for key, (where, text) in _without_files(given).items():
            if key in OPTIONS:
                values[key] = _parsed(key, where, text)
            elif key.endswith("_url"):
                receivers[f"{PREFIX}{key.upper()}"] = text
            else:
                raise SettingsError(f"{where} is not a setting of Deskwatch{_meant(key, where)}.")
    return Settings(**values, receivers=receivers)


_Given = dict[str, tuple[str, str]]  # key -> (how the person who wrote it calls it, its text)


def _by_key(variables: Mapping[str, str]) -> _Given:
    return {name.removeprefix(PREFIX).lower(): (name, text) for name, text in variables.items()}


def _from_file(path: Path) -> _Given:
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} is not TOML: {error}.") from None
    given: _Given = {}
    for key, value in table.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise SettingsError(f"{key} in {path} is not a text or a whole number.")
        given[key] = f"{key} in {path}", str(value)
    return given


def _without_files(given: _Given) -> _Given:
    """The same with each secret's `<key>_file` replaced by what stands in that file."""
    plain = dict(given)
    for key, (where, text) in given.items():
        secret = key.removesuffix("_file")
        if secret == key or not (secret.endswith("_url") or (secret in OPTIONS and OPTIONS[secret].secret)):
            continue
        if secret in given:
            raise SettingsError(f"{where} and {given[secret][0]} are both set: keep one.")
        try:
            plain[secret] = where, Path(text).expanduser().read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text"
            raise SettingsError(f"The file that {where} names cannot be read: {reason}.") from None
        del plain[key]
    return plain


def _parsed(key: str, where: str, text: str) -> Any:
    option = OPTIONS[key]
    try:
        return option.parse(text)
    except ValueError:
        # A password may stand in a URL by mistake, so a URL is not repeated either.
        shown = where if option.secret or "@" in text else f"{where} = {text!r}"
        raise SettingsError(f"{shown} is not {option.expected}.") from None


def _meant(key: str, where: str) -> str:
    close = difflib.get_close_matches(key, [*OPTIONS, *(f"{name}_file" for name in OPTIONS if OPTIONS[name].secret)], 1)
    if not close:
        return ""
    return f" (did you mean {PREFIX + close[0].upper() if where.startswith(PREFIX) else close[0]}?)"
