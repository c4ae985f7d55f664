"""Writes docs/settings.md from the settings' own descriptions: `python -m tests.docs.settings_page`."""

from pathlib import Path

from streams.settings import Settings
from streams.settings.options import OPTIONS, PREFIX, RENAMED

FILE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = f"""\
# Settings

What an installation sets; what a supervisor changes is in the policy. A setting is a variable of the environment
(`{PREFIX}BROKER=kafka:9092`) or a line of the TOML file that `{PREFIX}CONFIG` names (`broker = "kafka:9092"`); the
environment wins. A setting that is marked as secret may stand in a file of its own, named by the variable with `_FILE`
behind it: `{PREFIX}CLICKHOUSE_PASSWORD_FILE=/run/secrets/clickhouse`. `deskwatch doctor` says which setting is wrong.

| setting | default | |
|---|---|---|
"""
TAIL = f"""\
| `{PREFIX}CONFIG` | | TOML file with settings. |
| `{PREFIX}…_URL` | | Address of a receiver of warnings, under the name that the policy gives it (`url_env`). Secret. |

## Renamed settings

The old name is read for one more release, with a warning.

| old name | new name |
|---|---|
"""


def page() -> str:
    """The page as it is committed."""
    defaults = Settings()
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_shown(getattr(defaults, name))} | {option.meaning}"
        f"{' Secret.' if option.secret else ''} |\n"
        for name, option in OPTIONS.items()
    ]
    renamed = [f"| `{PREFIX}{old.upper()}` | `{PREFIX}{new.upper()}` |\n" for old, new in RENAMED.items()]
    return "".join([HEAD, *rows, TAIL, *renamed])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "`yes`" if value else "`no`"
    return "" if value in (None, "") else f"`{value}`"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
