"""The stays of a warning in incidents: its ticket may get another parent, or none, while it stands. Pure.

    raised              linked to p            linked to q        cleared
      |---- its own ------|---------- p ---------|------ q ---------|
      joins               leaves joins           leaves joins       leaves

Each incident is folded in the partition of its parent, which is told of the warning as a whole: the stays are in its
row. So it does not matter in how many messages they were said, nor when these came.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from streams.desk.escalation.chain import Chain, StoredWarning, parents_of
from streams.models.rows import WarningState


class Stay(NamedTuple):
    """The time in one incident: from `since` to `until` (ms); None: to this day."""

    since: int
    until: int | None


class Move(NamedTuple):
    """A warning joins an incident at the instant `at`, or leaves it."""

    at: int
    joins: bool


def is_over(warning: StoredWarning) -> bool:
    """Whether the warning is cleared or withdrawn."""
    return bool(warning.is_deleted or warning.state == WarningState.CLEARED)


def addressed(warning: StoredWarning, parent_id: str) -> StoredWarning:
    """Return the warning as the incident of a parent ("": its own ticket) sees it, with that one as its parent."""
    if parent_id != warning.parent_id:
        warning.parents = parents_of(warning)
        warning.parent_id = parent_id
    return warning


def stays(warning: StoredWarning) -> list[Stay]:
    """Return the stays in the incident that the warning is addressed to; none, if it was never in it."""
    parents, last = warning.parents, warning.cleared_at
    if not is_over(warning):
        last = None
    elif last is None:  # withdrawn
        last = parents[-1][0] if parents else warning.raised_at
    if not parents:
        return [Stay(warning.raised_at, last)]
    untils = [*(at for at, _ in parents[1:]), last]
    return [
        Stay(since, until)
        for (since, parent_id), until in zip(parents, untils, strict=True)
        if parent_id == warning.parent_id
    ]


def next_move(warning: StoredWarning, chain: Chain | None, kept_ms: Callable[[StoredWarning], int]) -> Move | None:
    """Return the next thing that the warning does in the incident of its chain; None: nothing that is known yet.

    `chain`: of this warning, as far as it was folded, if it is known in the incident. A chain is kept `kept_ms` after
    the warning left; one that returns later than that begins anew, and what came before is not told again:

        |-- stay 1 --|······ kept ······|          |-- stay 2: the first, as far as anybody remembers
    """
    if not warning.parents and chain is not None and chain.cleared_at is None and not is_over(warning):
        return None  # nearly always
    found = stays(warning)
    if chain is not None and chain.cleared_at is None:
        begun = [stay for stay in found if stay.since <= chain.joined_at] or found
        if not begun:  # a correction: it never was in this incident
            return Move(chain.joined_at, joins=False)
        until = begun[-1].until
        return None if until is None else Move(max(until, chain.joined_at), joins=False)
    ended_at = -1 if chain is None or chain.cleared_at is None else chain.cleared_at
    if chain is None and len(found) > 1:
        kept = kept_ms(warning)
        gaps = [n for n, (one, other) in enumerate(pairwise(found), 1) if other.since - (one.until or 0) > kept]
        found = found[gaps[-1] :] if gaps else found
    for stay in found:
        if stay.until is None or stay.until > ended_at:
            return Move(max(stay.since, ended_at), joins=True)
    return None
