"""The dimensions of the counts of tickets, calls and surveys.

A new dimension touches seven files and the SQL: this one, the events that set it (`models.tickets`), the rows
(`models.rows`, `models.entities`, `models.customer_facts`), `desk.tickets.ticket` (its row), and the policy's `Match`
(`desk.policy.sections`). Of a row it is the last field, with a default (see `models.rows`): where a row is built from
`*dims` (`rows`, `customer_facts`, `ticket`), pass it by name.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

Names = TypeVar("Names", bound=tuple[str, ...])
Tags = tuple[str, ...]

MAX_SHARED = 50_000  # combinations of names kept
_known: dict[Any, Any] = {}


class Dimensions(NamedTuple):
    """The dimensions of a subject; a missing one is ""."""

    team: str = ""
    channel: str = ""
    priority: str = ""
    kind: str = ""
    segment: str = ""
    category: str = ""
    product: str = ""


dimensions_of: Callable[[Any], tuple[str, ...]] = attrgetter(*Dimensions._fields)
"""The dimensions of a row, as a plain tuple."""


def tags_of(tags: Sequence[str] | None) -> Tags:
    """A ticket's tags for matching: sorted, each once."""
    return shared(tuple(sorted(set(tags)))) if tags else ()


def shared(names: Names) -> Names:
    """Intern a tuple of names: tickets are many, but combinations of names are few."""
    if len(_known) >= MAX_SHARED:
        _known.clear()
    found: Names = _known.setdefault(names, names)
    return found
