"""The settings of an installation: addresses, credentials, paths; one frozen object, read once at the start.

From the environment (`DESKWATCH_BROKER`), or from a TOML file named by `DESKWATCH_CONFIG` (`broker = "…"`); the
environment wins. A secret may be in a separate file: `DESKWATCH_CLICKHOUSE_PASSWORD_FILE`. What a supervisor changes is
in the policy, not here. `streams.settings.options` describes each setting, also for docs/settings.md.
"""

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from streams.errors import UserError
from streams.settings.options import OPTIONS, PREFIX, RENAMED


class SettingsError(UserError, ValueError):
    """An unusable setting. The message has its name and what was expected, but never a secret's value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. OPTIONS describes each field."""

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


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises SettingsError.

    Variables that end in `_URL` (or `_URL_FILE`) belong to the policy's receivers (`url_env`); they are kept in
    `receivers` by name.
    """
    found = os.environ if environ is None else environ
    variables = {name: value for name, value in found.items() if name.startswith(PREFIX)}
    config = variables.pop(f"{PREFIX}CONFIG", None)
    values: dict[str, Any] = {}
    receivers: dict[str, str] = {}
    for given in ((_from_file(Path(config)) if config else {}), _by_key(variables)):
        for key, (where, text) in _without_files(_without_old_names(given)).items():
            if key in OPTIONS:
                values[key] = _parsed(key, where, text)
            elif key.endswith("_url"):
                receivers[f"{PREFIX}{key.upper()}"] = text
            else:
                raise SettingsError(f"{where} is not a setting of Deskwatch{_meant(key, where)}.")
    return Settings(**values, receivers=receivers)


_Given = dict[str, tuple[str, str]]  # key -> (its name as written, its text)


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


def _without_old_names(given: _Given) -> _Given:
    """The same with each old name replaced by the new one, after a warning."""
    plain = dict(given)
    for old, new in RENAMED.items():
        if old in plain:
            where, text = plain.pop(old)
            if new in given:
                raise SettingsError(f"{where} and {given[new][0]} are both set: keep {given[new][0]}, its new name.")
            plain[new] = where, text
            _warn(f"{where} is now called {PREFIX + new.upper() if where.startswith(PREFIX) else new}: rename it.")
    return plain


@cache
def _warn(sentence: str) -> None:
    """Print a warning on stderr, once per process."""
    print(f"{sentence} The old name is read for this release only.", file=sys.stderr)


def _without_files(given: _Given) -> _Given:
    """The same with each secret's `<key>_file` replaced by the contents of that file."""
    plain = dict(given)
    for key, (where, text) in given.items():
        secret = key.removesuffix("_file")
        if secret == key or not (secret.endswith("_url") or (secret in OPTIONS and OPTIONS[secret].secret)):
            continue
        if secret in given and given[secret][1]:
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
        # A URL may contain a password by mistake, so a URL is not repeated either.
        shown = where if option.secret or "@" in text else f"{where} = {text!r}"
        raise SettingsError(f"{shown} is not {option.expected}.") from None


def _meant(key: str, where: str) -> str:
    close = difflib.get_close_matches(key, [*OPTIONS, *(f"{name}_file" for name in OPTIONS if OPTIONS[name].secret)], 1)
    if not close:
        return ""
    return f" (did you mean {PREFIX + close[0].upper() if where.startswith(PREFIX) else close[0]}?)"
