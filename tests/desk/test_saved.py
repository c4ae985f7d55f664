"""The saved parts of a state: entries reach their part, and rewritten entries equal those of the changelog."""

from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.customers.partition import Customers
from streams.desk.saved import HEADER, PANE, SavedDict, SavedParts, SavedValue
from streams.desk.track.partition import Desk
from streams.desk.window_rules.partition import Watch
from streams.desk.window_rules.saved_warnings import WARNING
from streams.models.codec import topic_of
from streams.models.records import Output
from streams.models.rows import WarningRow
from streams.models.topics import CUSTOMER_FACTS, INPUTS, WATCH_ROLLUPS
from tests.desk.compare import decoded, record
from tests.desk.customer_logs import logs as customer_logs
from tests.desk.laws import versions
from tests.desk.logs import lines, logs, policies
from tests.desk.test_watch import RULES

Changelog = dict[bytes, bytes]


def test_each_entry_reaches_its_part_and_unknown_ones_none() -> None:
    """
    a1 b1 c1 h ──load──> a: a1, b: b1, header; c is of a newer release
    """
    loaded: list[bytes] = []
    some, others = SavedDict(b"a"), SavedDict(b"b")
    saved = SavedParts(some, others, SavedValue(HEADER, lambda: b"head", loaded.append))
    for key in (b"a1", b"b1", b"c1", HEADER):
        saved.load(key, key)
    assert (some.known, others.known, loaded) == ({b"a1": b"a1"}, {b"b1": b"b1"}, [HEADER])
    assert saved.entries() == [(HEADER, b"head")]


def test_what_changed_is_written_once_and_what_is_rewritten_as_it_stands() -> None:
    some = SavedDict(b"a")
    saved = SavedParts(some)
    some.put(b"a1", b"1")
    some.put(b"a2", b"2")
    assert saved.entries() == [(b"a1", b"1"), (b"a2", b"2")]
    assert saved.entries() == []
    some.remove(b"a1")
    saved.rewrite_keys({b"a2", b"a3", b"x"})
    assert dict(saved.entries()) == {b"a1": None, b"a2": b"2", b"a3": None, b"x": None}
    assert saved.entries() == []


def taken(state: Any, version: int, changelog: Changelog) -> list[Output]:
    """A snapshot: its entries go to the changelog; returns its outputs."""
    snapshot = state.snapshot(version, {})
    for key, value in snapshot.entries:
        if value is None:
            changelog.pop(key, None)
        else:
            changelog[key] = value
    return list(snapshot.outputs)


def comparable(changelog: Changelog) -> dict[bytes, Any]:
    """Without the header, and without the version in panes and warnings, which a snapshot sets."""
    found: dict[bytes, Any] = {key: value for key, value in changelog.items() if key != HEADER}
    for key, value in changelog.items():
        if key[:1] == PANE:
            partition, minute, opened, counts, *_ = msgspec.json.decode(value)
            found[key] = partition, minute, opened, sorted(counts)
        elif key[:1] == WARNING:
            found[key] = msgspec.structs.replace(msgspec.msgpack.decode(value, type=WarningRow), version=0)
    return found


def assert_rewritten_as_it_was(state: Any, version: int, changelog: Changelog) -> None:
    taken(state, version, changelog)  # which closes old panes
    before = comparable(changelog)
    others = {b"t9999\0" + b"0", b"p1", b"?"}
    state.rewrite_keys({*changelog, *others})
    assert state.unsaved()
    rewritten: Changelog = {}
    entries = dict(state.snapshot(version + 1, {}).entries)
    assert others <= entries.keys()
    assert all(entries[key] is None for key in others)
    rewritten.update({key: value for key, value in entries.items() if value is not None})
    assert comparable(rewritten) == before


@settings(max_examples=60, deadline=None)
@given(st.one_of(logs(), customer_logs()), policies(), st.randoms(use_true_random=False))
def test_what_is_rewritten_is_what_the_changelog_has(
    log: list[dict[str, Any]], texts: list[str], random: Random
) -> None:
    desk, customers = Desk(0, versions(texts), wall=False), Customers(0, versions(texts))
    watch = Watch(1, versions([RULES]))
    states: list[tuple[Any, Changelog]] = [(desk, {}), (customers, {}), (watch, {})]
    version = 0
    for n, (event, raw) in enumerate([*decoded(lines(log)), (None, b"")]):
        if event is not None:
            desk.feed(topic_of(event), [record(raw, topic_of(event), n)], 0)
            for topic in INPUTS:
                desk.watermarks.advance(topic, event.at)
            desk.advance(None)
            if random.random() < 0.6:
                continue
        version += 1
        outputs = taken(desk, version, states[0][1])
        for topic, (state, changelog) in ((CUSTOMER_FACTS, states[1]), (WATCH_ROLLUPS, states[2])):
            state.feed(topic, [record(output.value, topic) for output in outputs if output.topic == topic], 0)
            state.advance(None)
            taken(state, version, changelog)
    for state, changelog in states:
        assert_rewritten_as_it_was(state, version + 1, changelog)
