"""Laws of escalation: for any sequence of warnings and actions, wherever a worker ends."""

from collections import Counter
from typing import Any
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.desk.escalation import sending
from streams.desk.escalation.throttle import DIGEST_LIMIT
from streams.models.instants import MINUTE
from tests.desk.escalations import POLICY, START, Bench, Made, action, warning

IDEMPOTENT = POLICY.replace('_URL"', '_URL", idempotent = true')

whens = st.integers(0, 40)
severities = st.sampled_from(["critical", "warning"])
doings = st.one_of(
    st.tuples(st.just("raise"), whens, st.integers(1, 3), severities),
    st.tuples(st.just("clear"), whens, st.integers(1, 3), severities),
    st.tuples(st.sampled_from(["acknowledge", "disagree", "snooze"]), whens, st.integers(1, 3), severities),
    st.tuples(st.sampled_from(["crash", "crash before sending", "crash after sending"]), whens, st.just(0), severities),
)
stories = st.lists(doings, min_size=1, max_size=12).map(lambda story: sorted(story, key=lambda doing: doing[1]))
parents = st.sampled_from(
    ["", "t1", "p"]
)  # no incidents; one whose parent has warnings, too; one whose parent has none
outcomes = st.sampled_from(["sent", "failed", "unknown"])


class Story:
    """Plays a story minute by minute, and counts how often each message was handed to a sender."""

    def __init__(self, policy: str, story: list[tuple[str, int, int, str]], outcome: str, parent: str = "") -> None:
        self.bench, self.outcome, self.version = Bench(policy), outcome, 0
        self.parent = parent  # of all tickets but the one of that name
        self.raised: dict[int, tuple[int, str]] = {}  # ticket -> minute and severity of the standing warning
        self.handed: Counter[str] = Counter()  # message id -> how often it was handed to a sender
        self.stopped: list[tuple[int, str]] = []  # (minute, warning_id) of disagreements and clearings
        self.ended: set[str] = set()  # warning ids that were cleared
        for n, (what, at, ticket, severity) in enumerate(story):
            self._play_until(at)
            self._do(n, what, at, ticket, severity)
        self._play_until(90 + 10 * sum(what == "snooze" for what, *_ in story))  # each may put the last step off
        self.bench.snapshot()

    def _warning(self, ticket: int, at: int, **fields: Any) -> Made:
        parent_id = "" if f"t{ticket}" == self.parent else self.parent
        return warning(ticket, at, version=self.version, parent_id=parent_id, **fields)

    def _play_until(self, at: int) -> None:
        minute = (self.bench.now - START) / MINUTE
        while minute < at:
            minute += 0.5
            self.bench.at(minute)
            self._send()

    def _send(self) -> None:
        messages = self.bench.snapshot()
        self.handed.update(message.id for message in messages)
        self.bench.send(messages, self.outcome)

    def _do(self, n: int, what: str, at: int, ticket: int, severity: str) -> None:
        bench = self.bench
        self.version += 1
        if what == "raise" and ticket not in self.raised and f"w{ticket}-{at}" not in self.ended:
            # A warning's id is of its instant: raised again within it, it would be the same one, not cleared after all.
            self.raised[ticket] = at, severity
            bench.feed(self._warning(ticket, at, severity=severity))
        elif what == "clear" and ticket in self.raised:
            since, severity = self.raised.pop(ticket)
            bench.feed(self._warning(ticket, since, cleared=at, severity=severity))
            self.stopped.append((at, f"w{ticket}-{since}"))
            self.ended.add(f"w{ticket}-{since}")
        elif what == "takeover":
            self._send()
            bench.snapshot()  # nothing is under way, and all that came of it is saved
            bench.crash()
        elif what.startswith("crash"):
            bench.at(at)
            if what != "crash":
                messages = bench.snapshot()
                self.handed.update(message.id for message in messages if what == "crash after sending")
            bench.crash()
        elif ticket in self.raised and what in ("acknowledge", "disagree", "snooze"):
            warning_id = f"w{ticket}-{self.raised[ticket][0]}"
            bench.feed(action(what, warning_id, at, n, **({"for_s": 600} if what == "snooze" else {})))
            if what == "disagree":
                self.stopped.append((at, warning_id))


@settings(max_examples=150, deadline=None)
@given(stories, st.sampled_from(["sent", "unknown"]), parents)
def test_no_message_is_handed_out_twice(story: list[tuple[str, int, int, str]], outcome: str, parent: str) -> None:
    played = Story(POLICY, story, outcome, parent)
    assert all(times == 1 for times in played.handed.values())


@settings(max_examples=100, deadline=None)
@given(stories, parents)
def test_every_step_ends_and_its_state_is_sent_if_its_message_was(
    story: list[tuple[str, int, int, str]], parent: str
) -> None:
    played = Story(POLICY, story, "sent", parent)
    last = {(event["warning_id"], event["step"]): event["state"] for event in played.bench.events() if event["step"]}
    assert set(last.values()) <= {"sent", "unknown", "skipped", "acknowledged"}
    for (warning_id, step), state in last.items():
        handed = played.handed[f"{warning_id}/{step}"]
        assert state == "unknown" or handed == (state == "sent"), (warning_id, step, state)


@settings(max_examples=100, deadline=None)
@given(stories)
@example([("raise", 0, 1, "critical"), ("disagree", 0, 1, "critical"), ("acknowledge", 1, 1, "critical")])
@example([("raise", 0, 1, "critical"), ("disagree", 0, 1, "critical"), ("snooze", 1, 1, "critical")])
@example([("raise", 0, 1, "critical"), ("clear", 0, 1, "critical"), ("raise", 0, 1, "critical")])
@example([("raise", 0, 3, "critical"), ("clear", 1, 3, "critical"), ("crash", 1, 0, "critical")])
def test_nothing_is_sent_after_a_chain_was_stopped_for_good(story: list[tuple[str, int, int, str]]) -> None:
    played = Story(IDEMPOTENT, story, "sent")
    sent = [event for event in played.bench.events() if event["state"] == "sent"]
    for minute, warning_id in played.stopped:
        later = [event["at"] for event in sent if event["warning_id"] == warning_id]
        # What was under way when a worker ended is sent again: it was on its way before.
        assert all(at <= START + (minute + 1) * MINUTE for at in later)


@settings(max_examples=100, deadline=None)
@given(stories, parents)
def test_events_of_a_chain_are_numbered_without_gaps_through_crashes(
    story: list[tuple[str, int, int, str]], parent: str
) -> None:
    played = Story(POLICY, story, "failed", parent)
    numbers: dict[str, list[int]] = {}
    for event in played.bench.events():
        numbers.setdefault(event["warning_id"], []).append(event["seq"])
    for found in numbers.values():
        assert found == list(range(1, len(found) + 1))


@settings(max_examples=150, deadline=None)
@given(stories, st.sampled_from(["t1", "p"]))
def test_one_chain_leads_an_incident_as_long_as_a_warning_stands(
    story: list[tuple[str, int, int, str]], parent: str
) -> None:
    for end in range(1, len(story) + 1):
        played = Story(POLICY, story[:end], "sent", parent)
        standing = [chain for chain in played.bench.state.chains.values() if chain.cleared_at is None]
        leaders = [chain for chain in standing if not chain.folded]
        assert len(leaders) == bool(standing)
        assert [chain.folds for chain in leaders] == [len(standing) - 1] * len(leaders)


SUCCESSORS = [
    ("raise", 0, 2, "warning"),
    ("raise", 0, 3, "warning"),
    ("raise", 0, 1, "critical"),
    ("clear", 7, 1, "critical"),
]


@settings(max_examples=60, deadline=None)
@given(stories, outcomes, parents)
@example([("raise", 0, 1, "critical"), ("raise", 0, 2, "warning"), ("raise", 0, 3, "warning")], "failed", "")
@example(SUCCESSORS, "sent", "t1")
def test_a_restored_state_goes_on_as_one_that_never_ended(
    story: list[tuple[str, int, int, str]], outcome: str, parent: str
) -> None:
    """With nothing under way, a takeover changes nothing: the same events come of the same story."""
    quiet = [doing for doing in story if not doing[0].startswith("crash")]
    takeovers = [("takeover", at, 0, "") for at in range(0, 40, 7)]
    without, taken_over = (
        Story(POLICY, quiet, outcome, parent),
        Story(
            POLICY, sorted([*quiet, *takeovers], key=lambda doing: (doing[1], doing[0] != "takeover")), outcome, parent
        ),
    )
    assert [key(event) for event in taken_over.bench.events()] == [key(event) for event in without.bench.events()]


def key(event: dict[str, object]) -> tuple[object, ...]:
    return tuple(event[name] for name in ("warning_id", "seq", "step", "state", "at", "receiver", "attempt"))


def test_ten_thousand_warnings_become_digests_and_memory_stays_bounded() -> None:
    """
    10,000 warnings within a minute       0 ................ 1 min
    messages to each receiver             5 at most, and digests at least 2 min apart
    """
    bench = Bench()
    for second in range(60):
        bench.feed(*(warning(n, at=second / 60) for n in range(second * 167, second * 167 + 167)))
        bench.at(second / 60)
        bench.send(bench.snapshot())
    bench.run(30)
    by_receiver = Counter(message.receiver for message in bench.sent)
    assert by_receiver["lead"] <= 3 + 5
    assert by_receiver["manager"] <= 25
    assert all(len(message.body) < 20_000 for message in bench.sent)
    first = {step for message in bench.sent if message.receiver == "lead" for step in ids(message)}
    assert len(first) == 10_020
    size = sum(map(len, bench.log.values())) / len(bench.state.chains)
    assert size < 1500  # bytes of a chain in the changelog
    bench.feed(*(warning(n, at=n // 167 / 60, cleared=31, version=2) for n in range(10_020)))
    bench.run(32)
    bench.at(32 + 24 * 60)
    bench.snapshot()
    assert not bench.state.chains


def ids(message: object) -> list[str]:
    return [f"{each.chain.warning.warning_id}/{each.step.number}" for each in message.steps]  # type: ignore[attr-defined]


def test_more_steps_due_at_once_than_a_digest_carries_follow_later() -> None:
    story = [("raise", 0, ticket, "critical") for ticket in (1, 2, 3)]

    def sent(limit: int) -> list[tuple[Any, ...]]:
        with patch.object(sending, "DIGEST_LIMIT", limit):
            events = Story(POLICY, story, "sent").bench.events()
        return sorted((each["warning_id"], each["step"], each["at"]) for each in events if each["state"] == "sent")

    usual, bounded = sent(DIGEST_LIMIT), sent(1)
    assert [each[:2] for each in bounded] == [each[:2] for each in usual]
    assert len({at for _, step, at in usual if step == 1}) == 1
    assert len({at for _, step, at in bounded if step == 1}) == 3  # one at each look
