"""The end of a log, told twice, is the end after a restart too: else role escalate would wait for it for ever.

clock.advanced to 10:00, to 10:00 again ──checkpoint──> restored: all warnings before 10:00:00.001 are written
"""

import msgspec

from streams.desk.policy.versions import Policies, parse
from streams.desk.track.partition import Desk
from streams.models.instants import parse_instant
from streams.models.signals import clock_event
from streams.models.topics import INCIDENTS, INPUTS
from tests.desk.compare import record

TEN = parse_instant("2026-10-12T10:00:00Z")
POLICIES = Policies([parse('version = "1"\ntimezone = "UTC"\n', "p.toml")])


def complete_until(desk: Desk, version: int, entries: dict[bytes, bytes | None]) -> set[int]:
    taken = desk.snapshot(version, {})
    entries.update(taken.entries)
    told = [msgspec.json.decode(output.value) for output in taken.outputs if output.topic == INCIDENTS]
    return {row[2] for message in told for row in message["data"]["rows"]}


def test_a_restored_desk_knows_that_the_log_has_ended() -> None:
    desk, entries = Desk(0, POLICIES, wall=False), dict[bytes, bytes | None]()
    for _ in range(2):
        for topic in INPUTS:
            assert desk.feed(topic, [record(clock_event(TEN), topic)], 0) == 1
    desk.advance(None)
    assert complete_until(desk, 1, entries) == {TEN + 1}
    restored = Desk(0, POLICIES, wall=False)
    for key, value in entries.items():
        restored.load(key, value)
    restored.restored()
    assert complete_until(restored, 2, {}) == {TEN + 1}
