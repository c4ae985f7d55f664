"""The policy files that are shipped, and reading policy files from disk: the core only gets their text."""

from pathlib import Path

from streams.desk.policy.file import PolicyError
from streams.desk.policy.versions import Policies, Policy, parse
from streams.settings import Settings

DEFAULT = Path(__file__).parent / "default.toml"
"""The policy of the demo and of a new desk."""


def load(path: Path) -> Policies:
    """Return the versions in a policy file, or in all *.toml files of a directory. Raises PolicyError."""
    if path.is_dir():
        files = sorted(path.glob("*.toml"))
        if not files:
            raise PolicyError(str(path), "", "expected at least one policy file (*.toml) in this directory, found none")
        return Policies([_read(file) for file in files])
    return Policies([_read(path)])


def _read(file: Path) -> Policy:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(str(file), "", f"expected a readable file or directory: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(str(file), "", "expected text in UTF-8") from None
    return parse(text, str(file))


def policies_of(settings: Settings) -> Policies:
    """The policy versions that the settings name."""
    return load(settings.policy or DEFAULT)
