"""Helpers for the laws of the fold: a desk through checkpoints and restores, and the allowed differences."""

from random import Random
from typing import Any

import msgspec

from streams.desk.policy.versions import Policies, parse
from streams.desk.track.partition import Desk
from streams.models.codec import topic_of
from streams.models.rows import Identity, PaneRow, Row
from streams.models.topics import INPUTS
from tests.desk.compare import all_rows, decoded, keep, record, rows_of
from tests.desk.logs import MONDAY, STEP, lines

AS_OF = MONDAY + 70 * STEP
FCR = {"fcr_yes", "fcr_no", "fcr_provisional", "fcr_unknown"}  # with the customers' stage


def versions(texts: list[str]) -> Policies:
    """A policy of versions with these texts."""
    return Policies([parse(text, f"policy {n}") for n, text in enumerate(texts)])


def without_version(rows: dict[Identity, Row]) -> dict[Identity, Row]:
    """The rows but the panes; which checkpoint wrote them is no difference."""
    return {
        identity: msgspec.structs.replace(row, version=0)
        for identity, row in rows.items()
        if not isinstance(row, PaneRow)
    }


def summed(rows: dict[Identity, Row]) -> dict[tuple[Any, ...], int]:
    """The panes, summed over their parts, without what depends on the order of arrival."""
    sums: dict[tuple[Any, ...], int] = {}
    for row in rows.values():
        if isinstance(row, PaneRow):
            for keys, counts in row.counts:
                for dimension, value in keys:
                    for name, number in counts.items():
                        key = (row.minute, dimension, value, name)
                        sums[key] = sums.get(key, 0) + number
    return {key: number for key, number in sums.items() if number and key[1] != "topic"}


def restored(changelog: dict[bytes, bytes | None], policies: Policies) -> Desk:
    """A desk as a successor restores it."""
    desk = Desk(0, policies, wall=False)
    for key, value in changelog.items():
        desk.load(key, value)
    desk.restored()
    return desk


def assert_that_nothing_changes(log: list[dict[str, Any]], texts: list[str], random: Random, every: int) -> None:
    """Whatever the order of the log, each event twice, with a checkpoint and a restore after `every` of them."""
    in_order = rows_of(decoded(lines(log)), versions(texts), AS_OF)
    shuffled = decoded(lines(log)) * 2
    random.shuffle(shuffled)
    desk = Desk(0, versions(texts), wall=False)
    standing: dict[Identity, Row] = {}
    changelog: dict[bytes, bytes | None] = {}
    for n, (event, raw) in enumerate(shuffled):
        topic = topic_of(event)
        assert desk.feed(topic, [record(raw, topic, n)], 0) == 1
        if random.random() < 0.2:  # the clock runs ahead of what is still to come
            for name in INPUTS:
                desk.watermarks.advance(name, event.at)
        desk.advance(None)
        if n % every == 0:
            keep(standing, all_rows(desk))
            changelog.update(desk.snapshot(n + 1, {}).entries)
            desk = restored(changelog, versions(texts))
    for name in INPUTS:
        desk.watermarks.advance(name, AS_OF)
    desk.advance(None)
    keep(standing, all_rows(desk))
    assert without_version(standing) == without_version(in_order)
    assert summed(standing) == summed(in_order)
