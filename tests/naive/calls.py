"""One call: what its events count, and whether it was lost."""

from dataclasses import dataclass

from tests.naive.log import Event, in_effective_order
from tests.naive.policies import Desk
from tests.naive.tickets import Standing

OVER = ("call.abandoned", "call.ended")
OUTCOMES = ("call.answered", *OVER)

CallFact = tuple[int, dict[str, str], str, int]  # at, dimensions, counter, value


def milliseconds(seconds: float) -> int:
    """`*_s` of an event in milliseconds."""
    return round(seconds * 1000)


@dataclass
class Call:
    """A call's events in effective order, repetitions of the same kind and released ones taken out."""

    events: list[Event]
    desk: Desk
    naming: list[Event]
    """Those that name the customer: it may be an event whose outcome does not count, for the call was over."""

    def first(self, type_: str) -> Event | None:
        """The first event of a type: a repeated one counts once."""
        return next((event for event in self.events if event.type == type_), None)

    def abandoned(self) -> Event | None:
        """The abandonment."""
        return self.first("call.abandoned")

    def first_queue(self) -> dict[str, str]:
        """The queue of the offer: under it counts what became of it."""
        offered = self.first("call.offered")
        return {"queue": self.after(offered)["queue"]} if offered else {}

    def dims(self, events: list[Event]) -> dict[str, str]:
        """Queue, team and segment as offered, queue and team changed by transfers; the agent that last had it."""
        dims = dict.fromkeys(("queue", "team", "segment", "agent_id"), "")
        for event in events:
            names = {"queue": "queue", "team": "team", "segment": "segment"}
            if event.type == "call.transferred":
                names = {"queue": "to_queue", "team": "to_team"}
            if event.type in ("call.offered", "call.transferred"):
                dims |= {name: event.data[given] for name, given in names.items() if given in event.data}
            if event.type != "call.offered":
                dims["agent_id"] = event.data.get("agent_id", dims["agent_id"])
        return dims

    def before(self, event: Event) -> dict[str, str]:
        """The dimensions just before an event."""
        return self.dims(self.events[: self.events.index(event)])

    def after(self, event: Event) -> dict[str, str]:
        """The dimensions just after an event."""
        return self.dims(self.events[: self.events.index(event) + 1])

    def at(self, at: int) -> dict[str, str]:
        """The dimensions after all events up to and including an instant."""
        return self.dims([event for event in self.events if event.at <= at])

    def facts(self, as_of: int) -> list[CallFact]:
        """All that the call counts; one never offered counts nothing."""
        offered = self.first("call.offered")
        if not offered:
            return []
        facts = [(offered.at, self.after(offered), "offered", 1)]
        facts += self.abandoned_facts() + self.answered_facts() + self.ended_facts() + self.lost_facts(as_of)
        for event in self.events:
            if event.type == "call.transferred":  # from its queue
                facts.append((event.at, self.before(event), "transferred", 1))
        return facts

    def abandoned_facts(self) -> list[CallFact]:
        """abandoned_ivr never reached the queue; the others are in target (<=) and short (<=) by their wait."""
        event = self.abandoned()
        if not event:
            return []
        counters = ["abandoned_ivr"]
        if event.data.get("stage", "queue") != "ivr":
            policy, wait_ms = self.desk.in_force(event.at), milliseconds(event.data["wait_s"])
            counters = ["abandoned"]
            counters += ["abandoned_in_target"] if wait_ms <= policy.call_ms("answer_within", "20s") else []
            counters += ["short_abandoned"] if wait_ms <= policy.call_ms("short_abandon", "5s") else []
        return [(event.at, self.after(event) | self.first_queue(), counter, 1) for counter in counters]

    def answered_facts(self) -> list[CallFact]:
        """A call counts as answered once, under its first queue."""
        event = self.first("call.answered")
        if not event:
            return []
        dims = self.after(event) | self.first_queue()
        wait_ms = milliseconds(event.data["wait_s"])
        facts = [(event.at, dims, "answered", 1), (event.at, dims, "wait_ms", wait_ms)]
        if wait_ms <= self.desk.in_force(event.at).call_ms("answer_within", "20s"):
            facts.append((event.at, dims, "answered_in_target", 1))
        return facts

    def ended_facts(self) -> list[CallFact]:
        """Talk, hold and wrap-up, under the queue and team it ended with."""
        event = self.first("call.ended")
        if not event:
            return []
        dims = self.after(event)
        parts = {part: milliseconds(event.data.get(f"{part}_s", 0)) for part in ("talk", "hold", "wrapup")}
        return [(event.at, dims, "ended", 1)] + [(event.at, dims, f"{part}_ms", ms) for part, ms in parts.items()]

    def lost_facts(self, as_of: int) -> list[CallFact]:
        """A call that never ended is closed as lost, max_wait after its offer or max_talk after its answer.

        offered |-------- max_wait --------| lost
        offered |----- answered |------- max_talk -------| lost
        """
        offered, answered = self.first("call.offered"), self.first("call.answered")
        if not offered or self.first("call.ended") or self.abandoned():
            return []
        lost_at = offered.at + self.desk.in_force(offered.at).call_ms("max_wait", "2h")
        if answered:
            lost_at = answered.at + self.desk.in_force(answered.at).call_ms("max_talk", "2h")
        return [(lost_at, self.at(lost_at) | self.first_queue(), "lost", 1)] if lost_at < as_of else []

    def standing(self, at: int) -> Standing | None:
        """The call as it stood at an instant, as a survey sees it: the channel of a call is the phone."""
        if not self.events:
            return None
        events = [event for event in self.events if event.at <= max(at, self.events[0].at)]
        ended = next((event.at for event in events if event.type == "call.ended"), None)
        return Standing(at, self.dims(events) | {"channel": "phone"}, ended, self.customer(max(at, self.events[0].at)))

    def customer(self, at: int) -> str:
        """Whose call it was known to be at an instant."""
        return str(([event.data["customer_id"] for event in self.naming if event.at <= at] or [""])[-1])


def read_call(events: list[Event], desk: Desk) -> Call:
    """The call of its events; after its end and `hold`, events change nothing."""
    kept: list[Event] = []
    naming: list[Event] = []
    for event in in_effective_order(events):
        ended = next((earlier.at for earlier in kept if earlier.type in OVER), None)
        if ended is not None and event.at > ended + desk.in_force(event.at).hold_ms:
            continue
        if "customer_id" in event.data:
            naming.append(event)
        if event.type in OUTCOMES and any(earlier.type in OVER for earlier in kept):
            continue  # it was over
        if event.type == "call.abandoned" and any(earlier.type == "call.answered" for earlier in kept):
            continue
        if event.type not in OUTCOMES or any(earlier.type == "call.offered" for earlier in kept):
            kept.append(event)
    return Call(kept, desk, naming)
