"""Eviction is unobservable: a desk writes the same rows, whichever subjects are evicted between two checkpoints."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.saved import HEADER, PANE
from streams.desk.track.partition import Desk
from streams.desk.track.subject import Subject
from streams.desk.track.subject_cache import SubjectCache
from streams.models.codec import topic_of
from streams.models.rows import Identity, Row
from streams.models.topics import CUSTOMER_FACTS, INPUTS
from tests.desk.compare import all_rows, decoded, keep, record
from tests.desk.laws import AS_OF, versions, without_version
from tests.desk.logs import MONDAY, STEP, lines, logs, policies
from tests.desk.test_signal_laws import signal_logs


def _written(log: list[dict[str, Any]], texts: list[str], every: int, cached_subjects: int) -> tuple[list[Any], int]:
    """What each snapshot of a desk holds but its panes, and all rows; and how many subjects were evicted in all."""
    desk = Desk(0, versions(texts), wall=False)
    desk.subjects.cache.limit = cached_subjects
    snapshots: list[Any] = []
    standing: dict[Identity, Row] = {}
    evicted = 0

    def snapshot(n: int) -> None:
        nonlocal evicted
        rows = all_rows(desk)
        keep(standing, rows)
        written = [repr(msgspec.structs.replace(row, version=0)) for row in rows]  # the version is set by the snapshot
        taken = desk.snapshot(n, {})
        entries = {key: value for key, value in taken.entries if key[:1] not in (HEADER, PANE)}
        facts = [msgspec.json.decode(output.value) for output in taken.outputs if output.topic == CUSTOMER_FACTS]
        published = sorted(repr(row) for message in facts for row in message["data"]["rows"])
        snapshots.append((desk.business_time, entries, sorted(written), published))
        evicted += desk.subjects.cache.evicted()

    for n, (event, raw) in enumerate(decoded(lines(log))):
        topic = topic_of(event)
        assert desk.feed(topic, [record(raw, topic, n)], 0) == 1
        desk.advance(None)
        if n % every == 0:
            snapshot(n + 1)
    for at in range(MONDAY, AS_OF + STEP, 20 * STEP):
        for name in INPUTS:
            desk.watermarks.advance(name, at)
        desk.advance(None)
        snapshot(1 << 40)
    return [snapshots, without_version(standing)], evicted


def _assert_unobservable(log: list[dict[str, Any]], texts: list[str], every: int) -> int:
    written, evicted = _written(log, texts, every, 0)
    assert written == _written(log, texts, every, 1 << 20)[0]
    return evicted


@settings(max_examples=150, deadline=None)
@given(logs(), policies(), st.integers(1, 5))
def test_eviction_of_tickets_calls_and_surveys_is_unobservable(
    log: list[dict[str, Any]], texts: list[str], every: int
) -> None:
    assert _assert_unobservable(log, texts, every) or not log


@settings(max_examples=100, deadline=None)
@given(signal_logs(), st.integers(1, 5))
def test_eviction_of_callbacks_actions_and_agents_is_unobservable(log: list[dict[str, Any]], every: int) -> None:
    _assert_unobservable(log, ['version = "v1"\ntimezone = "UTC"'], every)


def test_the_latest_deadlines_are_evicted_and_hydrated_by_their_instant_alone() -> None:
    """
    limit 4    a: touched  b: at 9  c: at 7  d: never  e: at 5 ── snapshot ──> b d evicted ── 9 ──> b hydrated
    """
    refolded: list[str] = []
    cache = SubjectCache(lambda subject: refolded.append(subject.name), limit=4)
    subjects = {name: Subject(name) for name in ("ta", "tb", "tc", "td", "te")}
    for name, subject in subjects.items():
        cache[name], subject.raws, subject.last_published = subject, [name.encode()], b"facts"
    subjects["tb"].queued_at, subjects["tc"].queued_at, subjects["te"].queued_at = 9, 7, 5
    cache.evict_idle({subjects["ta"]})
    assert (len(cache), cache.evicted()) == (5, 2)
    assert [cache.get(name) is subjects[name] for name in ("ta", "tc", "te")] == [True] * 3
    assert cache.due("tb", 8) is None
    assert not refolded
    found = cache.due("tb", 9)
    assert found is not None
    assert (found.raws, found.last_published, found.queued_at, refolded) == ([b"tb"], b"facts", 9, ["tb"])
    assert "td" in cache
    assert cache.get("tx") is None
    assert sorted(subject.name for subject in cache.all()) == ["ta", "tb", "tc", "td", "te"]
