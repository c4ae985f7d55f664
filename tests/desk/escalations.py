"""The escalation state of a partition under a clock that tests move, with checkpoints, crashes and a sender."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from streams.desk.escalation.dispatch import Message
from streams.desk.escalation.partition import Escalations
from streams.desk.escalation.sending import Outcome, Result
from streams.desk.policy.versions import Policies, parse
from streams.models.escalations import EscalationRow
from streams.models.instants import MINUTE, format_instant
from streams.models.records import Output
from streams.models.topics import ACTIONS, DEAD_LETTERS, INCIDENTS, WARNINGS

START = 1_793_700_000_000  # 2026-11-03T10:00:00Z, a Tuesday
POLICY = """
version = "v"
timezone = "UTC"
[calendars.office.hours]
mon = ["09:00-18:00"]
tue = ["09:00-18:00"]
wed = ["09:00-18:00"]
[[rules]]
rule = "csat.low"
window = "1h"
raise_at = 0.8
clear_at = 0.85
cooldown = "30m"
[[escalation]]
severity = ["critical"]
steps = [ { after = "0m", to = "lead" }, { after = "10m", to = "manager", repeat = 2, every = "5m" } ]
[[escalation]]
severity = ["warning"]
acknowledged_for = "20m"
steps = [ { after = "5m", to = "lead" }, { after = "15m", to = "manager" } ]
[receivers]
lead = { url_env = "DESKWATCH_LEAD_URL" }
manager = { url_env = "DESKWATCH_MANAGER_URL", language = "zh" }
"""


class Made(NamedTuple):
    """A record as a topic delivers it."""

    value: bytes | None
    topic: str = WARNINGS
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = 0
    offset: int = 0
    timestamp: int = START
    key: bytes | None = None


def warning(n: int = 1, at: float = 0, *, cleared: float | None = None, version: int = 1, **fields: Any) -> Made:
    """A warning about ticket n, raised and perhaps cleared so many minutes after START."""
    data = {
        "warning_id": f"w{n}-{at}",
        "rule": "sla.breached",
        "subject": f"t{n}/resolution/1",
        "ticket_id": f"t{n}",
        "metric": "resolution",
        "severity": "critical",
        "raised_at": START + round(at * MINUTE),
        "cleared_at": None if cleared is None else START + round(cleared * MINUTE),
        "cleared_by": "" if cleared is None else "fulfilled",
        "state": "raised" if cleared is None else "cleared",
        "version": version,
        "elapsed_ms": 9 * MINUTE,
        "target_ms": 8 * MINUTE,
        **fields,
    }
    state = "withdrawn" if data.get("is_deleted") else data["state"]
    event = {"specversion": "1.0", "id": "x", "source": "/t", "type": f"warning.{state}", "data": data}
    value, parent_id = msgspec.json.encode(event), fields.get("parent_id")
    return Made(value, INCIDENTS, key=parent_id.encode()) if parent_id else Made(value)


def progress(minutes: float, source: str = WARNINGS, partition: int = 0, version: int = 1) -> Made:
    """A sender of warnings has come so far in the log."""
    row = [source, partition, START + round(minutes * MINUTE), {}, version]
    event = {
        "specversion": "1.0",
        "id": "x",
        "source": "/t",
        "type": "deskwatch.progress_rows",
        "data": {"rows": [row]},
    }
    return Made(msgspec.json.encode(event), source if source == INCIDENTS else WARNINGS)


def reached(minutes: float) -> tuple[Made, Made]:
    """The desk has come so far, and says so on both topics."""
    return progress(minutes), progress(minutes, INCIDENTS)


def action(what: str, warning_id: str, at: float = 0, n: int = 1, **data: Any) -> Made:
    """An event on `actions`, so many minutes after START."""
    event = {
        "specversion": "1.0",
        "id": f"a{n}",
        "source": "/t",
        "type": f"warning.{what}",
        "time": format_instant(START + round(at * MINUTE)),
        "data": {"warning_id": warning_id, "by": "li", **data},
    }
    return Made(msgspec.json.encode(event), ACTIONS)


class Bench:
    """The state of a partition, its changelog, and a sender that keeps the messages it is given.

    `told`: the minutes that all desks have told of; live, by default, more than any test takes, so that nothing waits.
    """

    def __init__(
        self, policy: str = POLICY, partitions: int = 1, told: float | None = 30 * 1440, **options: Any
    ) -> None:
        self.policies = Policies([parse(policy, "p.toml")])
        self.partitions = partitions
        addresses = {receiver.url_env for receiver in self.policies.versions[0].receivers.values()}
        self.options = {"addresses": addresses, "wall": True, **options}
        self.log: dict[bytes, bytes] = {}
        self.outputs: list[Output] = []
        self.sent: list[Message] = []
        self.unsaved: list[Made] = []  # folded since the last checkpoint: read again after a crash
        self.version = 0
        self.now = START
        self.state = self._new()
        if told is not None and self.options["wall"]:
            for number in range(partitions):
                self.feed(progress(told), progress(told, INCIDENTS, number))

    def _new(self) -> Escalations:
        return Escalations(0, self.partitions, self.policies, **self.options)

    def feed(self, *records: Made) -> None:
        """Fold records."""
        for topic, run in groupby(records, key=lambda record: record.topic):
            of_topic, start = list(run), 0
            while start < len(of_topic):
                start = self.state.feed(topic, of_topic, start)
                if start < len(of_topic):
                    self.snapshot()
        self.unsaved += records

    def at(self, minutes: float) -> None:
        """Let the wall clock come to so many minutes after START."""
        self.now = START + round(minutes * MINUTE)
        self.state.advance(self.now if self.options["wall"] else None)

    def snapshot(self) -> list[Message]:
        """Write a checkpoint, and return the messages that may be sent now."""
        self.version += 1
        snapshot = self.state.snapshot(self.version, {})
        for key, value in snapshot.entries:
            if value is None:
                self.log.pop(key, None)
            else:
                self.log[key] = value
        assert msgspec.json.decode(snapshot.outputs[-1].value)["type"] == "deskwatch.progress_rows"
        self.outputs += snapshot.outputs[:-1]
        self.unsaved = []
        return self.state.messages()

    def run(self, until: float, step: float = 0.25, outcome: str = "sent", since: float | None = None) -> None:
        """Let time pass, with a checkpoint at each step, after which its messages are sent."""
        at = (self.now - START) / MINUTE if since is None else since
        while at <= until:
            self.at(at)
            self.send(self.snapshot(), outcome)
            at += step
        self.snapshot()

    def send(self, messages: Iterable[Message], outcome: str = "sent") -> None:
        """Send messages with this outcome."""
        for message in messages:
            self.sent.append(message)
            self.state.settle(message, Outcome(Result(outcome)), self.now)

    def crash(self) -> None:
        """Another worker restores the state from the changelog, and reads again what was not saved."""
        self.state = self._new()
        for key, value in self.log.items():
            self.state.load(key, value)
        self.state.restored()
        again, self.unsaved = self.unsaved, []
        self.feed(*again)

    def events(self, kind: str = "deskwatch.escalation_rows") -> list[dict[str, Any]]:
        """The events of steps in order, or, by their `kind`, of what people did about warnings."""
        found: list[dict[str, Any]] = []
        for output in self.outputs:
            if output.topic == DEAD_LETTERS:
                continue
            event = msgspec.json.decode(output.value)
            if event["type"] == kind and "rows" in event["data"]:
                found += [dict(zip(EscalationRow.__struct_fields__, row, strict=True)) for row in event["data"]["rows"]]
            elif event["type"] == kind:
                found.append(event["data"])
        return found

    def deliveries(self) -> list[tuple[float, str]]:
        """(minutes after START, message id) of each message that was sent."""
        sent = [event for event in self.events() if event["state"] == "sent"]
        return [((event["at"] - START) / MINUTE, f"{event['warning_id']}/{event['step']}") for event in sent]

    def standing(self, warning_id: str) -> dict[int, str]:
        """The last state of each step."""
        return {event["step"]: event["state"] for event in self.events() if event["warning_id"] == warning_id}
