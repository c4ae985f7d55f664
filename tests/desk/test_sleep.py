"""Sleep is not seen: whoever sleeps between two checkpoints, what a desk writes and tells is the same."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.desk.track.partition import Desk
from streams.desk.track.subject import Subject
from streams.desk.track.subject_cache import SubjectCache
from streams.models.codec import topic_of
from streams.models.rows import Identity, Row
from streams.models.topics import INPUTS
from tests.desk.compare import all_rows, decoded, keep, record
from tests.desk.laws import AS_OF, versions, without_version
from tests.desk.logs import MONDAY, STEP, lines, logs, policies
from tests.desk.test_signal_laws import signal_logs


def _written(log: list[dict[str, Any]], texts: list[str], every: int, cached_subjects: int) -> tuple[list[Any], int]:
    """What each checkpoint of a desk holds but its panes, and all rows; and how many subjects slept in all."""
    desk = Desk(0, versions(texts), wall=False)
    desk.subjects.held.limit = cached_subjects
    cuts: list[Any] = []
    standing: dict[Identity, Row] = {}
    slept = 0

    def cut(n: int) -> None:
        nonlocal slept
        facts = msgspec.to_builtins(list(desk.customers.waiting.values()))
        rows = all_rows(desk)
        keep(standing, rows)
        written = [repr(msgspec.structs.replace(row, version=0)) for row in rows]  # the version is set by the cut
        cuts.append((desk.clock, dict(desk.subjects.entries), sorted(written), sorted(map(repr, facts))))
        desk.snapshot(n, {})
        slept += desk.subjects.held.asleep()

    for n, (event, raw) in enumerate(decoded(lines(log))):
        topic = topic_of(event)
        assert desk.feed(topic, [record(raw, topic, n)], 0) == 1
        desk.advance(None)
        if n % every == 0:
            cut(n + 1)
    for at in range(MONDAY, AS_OF + STEP, 20 * STEP):
        for name in INPUTS:
            desk.watermarks.advance(name, at)
        desk.advance(None)
        cut(1 << 40)
    return [cuts, without_version(standing)], slept


def _assert_not_seen(log: list[dict[str, Any]], texts: list[str], every: int) -> int:
    written, slept = _written(log, texts, every, 0)
    assert written == _written(log, texts, every, 1 << 20)[0]
    return slept


@settings(max_examples=150, deadline=None)
@given(logs(), policies(), st.integers(1, 5))
def test_whether_tickets_calls_and_surveys_sleep_is_not_seen(
    log: list[dict[str, Any]], texts: list[str], every: int
) -> None:
    assert _assert_not_seen(log, texts, every) or not log


@settings(max_examples=100, deadline=None)
@given(signal_logs(), st.integers(1, 5))
def test_whether_callbacks_actions_and_agents_sleep_is_not_seen(log: list[dict[str, Any]], every: int) -> None:
    _assert_not_seen(log, ['version = "v1"\ntimezone = "UTC"'], every)


def test_those_that_wait_longest_sleep_and_are_woken_by_their_instant_alone() -> None:
    """
    limit 4    a: touched  b: until 9  c: until 7  d: for nothing  e: until 5 ── cut ──> b d sleep ── 9 ──> b wakes
    """
    woken: list[str] = []
    everyone = SubjectCache(lambda subject: woken.append(subject.name), limit=4)
    subjects = {name: Subject(name) for name in ("ta", "tb", "tc", "td", "te")}
    for name, subject in subjects.items():
        everyone[name], subject.raws, subject.told = subject, [name.encode()], b"told"
    subjects["tb"].queued_at, subjects["tc"].queued_at, subjects["te"].queued_at = 9, 7, 5
    everyone.rest({subjects["ta"]})
    assert (len(everyone), everyone.asleep()) == (5, 2)
    assert [everyone.get(name) is subjects[name] for name in ("ta", "tc", "te")] == [True] * 3
    assert everyone.due("tb", 8) is None
    assert not woken
    found = everyone.due("tb", 9)
    assert found is not None
    assert (found.raws, found.told, found.queued_at, woken) == ([b"tb"], b"told", 9, ["tb"])
    assert "td" in everyone
    assert everyone.get("tx") is None
    assert sorted(subject.name for subject in everyone.all()) == ["ta", "tb", "tc", "td", "te"]
