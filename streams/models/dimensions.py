"""The dimensions that everything is counted by: one named tuple, kept once of all that are equal."""

from collections.abc import Sequence
from typing import Any, TypeVar

Dimensions = tuple[str, str, str, str, str, str, str]  # team, channel, priority, kind, segment, category, product

Names = TypeVar("Names", bound=tuple[str, ...])

REMEMBERED = 50_000  # combinations of names that are shared

_known: dict[Any, Any] = {}


def tags_of(tags: Sequence[str] | None) -> tuple[str, ...]:
    """A ticket's tags as the policies match them."""
    return shared(tuple(sorted(set(tags)))) if tags else ()


def shared(names: Names) -> Names:
    """The one tuple that is kept of all that are equal: tickets are many, their combinations of names few."""
    if len(_known) >= REMEMBERED:
        _known.clear()
    found: Names = _known.setdefault(names, names)
    return found
