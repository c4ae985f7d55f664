"""Any input is an event, an unknown type or a dead letter, and never ends a worker."""

from collections import Counter

import msgspec
import pytest

from sinks.clickhouse.events import DeadLetterRow, dead_letter_row, stored
from sinks.clickhouse.rows import encoded, rows_of
from streams import policies
from streams.desk.track.partition import Desk
from streams.models.codec import TYPES, Rejected, Unknown, decode
from streams.models.instants import HOUR
from streams.models.records import Output
from streams.models.topics import DEAD_LETTERS, INPUTS, PROGRESS_TOPICS
from streams.replay.log import place
from streams.simulator import World, events
from streams.simulator.feed import encode
from tests.fuzz.mutations import Mutator
from tests.simulator.conftest import MONDAY
from tests.sinks.desk import Record, event

RESTORE_EVERY = 20_000


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    """Some of each type of event, of few tickets and calls, so that they meet."""
    some: Counter[str] = Counter()
    lines = []
    for made in events(World(seed=7, start=MONDAY, end=MONDAY + 12 * HOUR, agents=20)):
        line = encode(made)
        name = msgspec.json.decode(line)["type"]
        if some[name] < 12:
            some[name] += 1
            lines.append(line)
    lines += [
        event("ticket.exempted", "mon 10:00", metric="resolution", by="boss", reason="storm"),
        event(
            "desk.closed", "mon 10:00", calendar="office", **{"from": "2026-10-12T10:00:00Z"}, to="2026-10-12T11:00:00Z"
        ),
        event("ticket.merged", "mon 10:30", into="t2"),
    ]
    assert len({msgspec.json.decode(line)["type"] for line in lines}) > len(TYPES) * 0.7
    return lines


def fuzz(corpus: list[bytes], number: int, seed: int) -> Counter[str]:
    """Feed `number` mutated records to codec, desk and store; what they were."""
    mutator, given = Mutator(corpus, seed), policies.load(policies.DEFAULT)
    desk = Desk(0, given, wall=False)
    changelog: dict[bytes, bytes | None] = {}
    found: Counter[str] = Counter()
    letters = 0
    for n in range(1, number + 1):
        topic, record = mutator.record()
        found[_kind(record)] += 1
        place(record.value or b"")
        while not desk.feed(topic, [record], 0):
            letters += _cut(desk, n, changelog)
        part = stored(topic, [record], -1)
        if part.events:
            encoded(part.events)
        if not n % 500:
            for name in INPUTS:
                desk.watermarks.advance(name, MONDAY + n * 1000)
            desk.advance(None)
            letters += _cut(desk, n, changelog)
        if not n % RESTORE_EVERY:
            desk = _restored(changelog, desk)
    letters += _cut(desk, number + 1, changelog)
    assert letters == found["Rejected"]
    _restored(changelog, desk)
    return found


def _kind(record: Record) -> str:
    decoded = decode(record.value, record.headers)
    return type(decoded).__name__ if isinstance(decoded, Rejected | Unknown) else "Event"


def _cut(desk: Desk, n: int, changelog: dict[bytes, bytes | None]) -> int:
    """Snapshot, and read what leaves as the store does; the number of dead letters."""
    cut = desk.snapshot(n, dict.fromkeys(INPUTS, n))
    changelog.update(cut.entries)
    return sum(_letter(output) if output.topic == DEAD_LETTERS else _rows(output) for output in cut.outputs)


def _letter(output: Output) -> int:
    row = dead_letter_row(Record(output.value, output.topic, headers=output.headers))
    assert isinstance(row, DeadLetterRow)
    assert row.reason
    encoded([row])
    return 1


def _rows(output: Output) -> int:
    if output.topic in PROGRESS_TOPICS:  # the others are for later stages
        rows_of(output.value).block.decode()
    return 0


def _restored(changelog: dict[bytes, bytes | None], former: Desk) -> Desk:
    desk = Desk(0, former.policy.given, wall=False)
    for key, value in changelog.items():
        if value is not None:
            desk.load(key, value)
    desk.restored()
    assert set(desk.subjects.cache) == set(former.subjects.cache)
    return desk


@pytest.mark.parametrize("seed", range(3))
def test_some_thousand_mutated_events(corpus: list[bytes], seed: int) -> None:
    found = fuzz(corpus, 1500, seed)
    assert min(found["Event"], found["Rejected"]) > 300
    assert found["Unknown"]


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_mutated_events(corpus: list[bytes]) -> None:
    found = fuzz(corpus, 100_000, seed=20261012)
    print(dict(found))
    assert found.total() == 100_000
