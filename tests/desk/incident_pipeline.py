"""Desks and role escalate in one process, in log time, over topics that behave like Kafka's.

    log ──> desk 0..n ──> risk-warnings 0..n ──────┬─> escalate 0..n ──> the events of steps, by identity
                  └─────> incident-warnings 0..n ──┘

A schedule decides how far each desk has come when it writes a checkpoint, when the log's clock is sent, which topic is
read first and by how much, and who is taken over. What comes of it must be the same.
"""

from collections.abc import Iterable
from functools import partial
from random import Random

import msgspec

from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.escalation.partition import Escalations
from streams.desk.policy.versions import Policies
from streams.desk.track.partition import Desk
from streams.kafka.partitioner import partition_of
from streams.models.codec import topic_of
from streams.models.envelope import Event
from streams.models.escalations import EscalationRow
from streams.models.records import Output
from streams.models.rows import WarningRow
from streams.models.signals import clock_event
from streams.models.topics import DEAD_LETTERS, ESCALATIONS, INCIDENTS, INPUTS, WARNINGS
from tests.desk.escalations import Made
from tests.desk.pipeline import Part, rows_in

Found = dict[tuple[str, int], EscalationRow]


class IncidentPipeline:
    """See the module."""

    def __init__(self, policies: Policies, partitions: int) -> None:
        self.partitions, self.numbers = partitions, range(partitions)
        homes = CustomerPartitioner(partitions, partial(partition_of, partitions=partitions))
        self.desks = [Part(partial(Desk, n, policies, wall=False, homes=homes), []) for n in self.numbers]
        new = partial(Escalations, partitions=partitions, policies=policies, addresses=(), wall=False)
        self.escalates = [Part(partial(new, n), []) for n in self.numbers]
        self.inputs: list[list[Made]] = [[] for _ in self.numbers]
        self.topics: dict[tuple[str, int], list[Made]] = {
            (topic, n): [] for topic in (WARNINGS, INCIDENTS) for n in self.numbers
        }
        self.read = dict.fromkeys(self.topics, 0)
        self.saved = dict(self.read)
        self.rows: Found = {}
        self.warnings: dict[str, WarningRow] = {}

    def feed_log(self, log: Iterable[tuple[Event, bytes]], random: Random) -> None:
        """All events come to the desks' topics, in order, and the log's time now and then, as `replay` sends it."""
        latest = -1
        for event, raw in log:
            key = event.key()
            assert key is not None
            self.inputs[partition_of(key, self.partitions)].append(Made(raw, topic_of(event)))
            latest = max(latest, event.at)
            if random.random() < 0.3:
                self._advance_clock(latest)
        self._advance_clock(latest)
        self._advance_clock(latest)

    def _advance_clock(self, at: int) -> None:
        for records in self.inputs:
            records += [Made(clock_event(at), topic) for topic in INPUTS]

    def feed_desk(self, n: int, many: int) -> None:
        """A desk folds the next events."""
        desk = self.desks[n]
        for record in self.inputs[n][desk.offset : desk.offset + many]:
            assert desk.state.feed(record.topic, [record], 0) == 1
            desk.offset += 1
            if desk.state.full():
                self.save_desk(n)
        desk.state.advance(None)
        while desk.state.full():
            self.save_desk(n)
            desk.state.advance(None)

    def save_desk(self, n: int) -> None:
        """A checkpoint of a desk, and its outputs sent."""
        outputs: list[Output] = self.desks[n].snapshot()
        for output in outputs:
            assert output.topic != DEAD_LETTERS, output
            target = n if output.partition is None else output.partition
            if (output.topic, target) in self.topics:
                self.topics[output.topic, target].append(Made(output.value, output.topic, key=output.key))
            if output.topic == WARNINGS:
                for row in rows_in(output.value):
                    if isinstance(row, WarningRow):
                        self.warnings[row.warning_id] = row

    def feed_escalate(self, topic: str, n: int, many: int) -> None:
        """A partition of escalate folds the next messages of a topic."""
        state, start = self.escalates[n].state, self.read[topic, n]
        for record in self.topics[topic, n][start : start + many]:
            assert state.feed(topic, [record], 0) == 1
            self.read[topic, n] += 1
            if state.full():
                self.save_escalate(n)
        state.advance(None)
        while state.full():
            self.save_escalate(n)
            state.advance(None)

    def save_escalate(self, n: int) -> None:
        """A checkpoint of escalate; an event never contradicts an earlier one."""
        for output in self.escalates[n].snapshot():
            assert output.topic != DEAD_LETTERS, output
            message = msgspec.json.decode(output.value)
            if output.topic != ESCALATIONS or message["type"] != "deskwatch.escalation_rows":
                continue
            for values in message["data"]["rows"]:
                row = msgspec.structs.replace(msgspec.convert(values, EscalationRow), version=0)
                assert self.rows.setdefault((row.warning_id, row.seq), row) == row
        for topic in (WARNINGS, INCIDENTS):
            self.saved[topic, n] = self.read[topic, n]

    def restore_escalate(self, n: int) -> None:
        """Another worker takes a partition of escalate over."""
        self.escalates[n].restore(1)
        for topic in (WARNINGS, INCIDENTS):
            self.read[topic, n] = self.saved[topic, n]

    def wander(self, random: Random) -> None:
        """Do something, anything, that may happen."""
        n = random.randrange(self.partitions)
        match random.randrange(8):
            case 0 | 1:
                self.feed_desk(n, random.randint(1, 12))
            case 2 | 3:
                self.save_desk(n)
            case 4:
                self.feed_escalate(WARNINGS, n, random.randint(1, 9))
            case 5:
                self.feed_escalate(INCIDENTS, n, random.randint(1, 9))
            case 6:
                self.save_escalate(n)
            case 7:
                self.restore_escalate(n)

    def finish(self) -> Found:
        """All comes to its end; returns the events."""
        for n in self.numbers:
            self.feed_desk(n, 1 << 30)
            self.save_desk(n)
        for topic, n in self.topics:
            self.feed_escalate(topic, n, 1 << 30)
        for n in self.numbers:
            self.save_escalate(n)
        return self.rows


def escalated(
    log: Iterable[tuple[Event, bytes]], policies: Policies, partitions: int, random: Random, steps: int = 0
) -> IncidentPipeline:
    """The pipeline after a log, in a schedule with so many random steps."""
    pipeline = IncidentPipeline(policies, partitions)
    pipeline.feed_log(log, random)
    for _ in range(steps):
        pipeline.wander(random)
    pipeline.finish()
    return pipeline
