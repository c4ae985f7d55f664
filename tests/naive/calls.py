"""One call: its legs, where it was, and what became of it."""

from dataclasses import dataclass
from functools import cached_property

from tests.naive.legs import Leg, legs_of, milliseconds
from tests.naive.log import Event, Place, in_effective_order
from tests.naive.policies import Desk
from tests.naive.tickets import Standing


@dataclass
class Call:
    """A call's events in effective order, without those that change nothing."""

    events: list[Event]
    desk: Desk
    naming: list[Event]
    """Those that name the customer: it may be an event whose outcome does not count, for the call was over."""

    def of(self, type_: str) -> list[Event]:
        """The events of a type."""
        return [event for event in self.events if event.type == type_]

    def offered(self) -> Event | None:
        """The offer; a call without one counts nothing."""
        return next(iter(self.of("call.offered")), None)

    def queued_at(self) -> int:
        """When it reached the queue: waiting begins when the voice menu ends."""
        offered = self.offered()
        return offered.at + milliseconds(offered.data.get("ivr_s", 0)) if offered else 0

    @cached_property
    def split(self) -> tuple[list[Leg], list[Event]]:
        """The legs, and the ends that belong to none."""
        return legs_of(self.events, self.queued_at()) if self.offered() else ([], [])

    def legs(self) -> list[Leg]:
        """The legs in the order of their beginnings."""
        return self.split[0]

    def abandonment(self) -> Event | None:
        """The abandonment that stands: the first, or an end without talk and without answer.

        "An end without talk and without answer is an abandonment. Any abandonment but in the voice menu is taken back
        by a later answer or talk." (What follows one in the voice menu is not among the events.)
        """
        left = sorted(self.of("call.abandoned") + self.split[1], key=lambda event: event.place)
        return left[0] if left and self.offered() and not self.legs() else None

    def over(self) -> tuple[int, Place] | None:
        """When it was over for good: "The call ends, once, with its last leg.", or with its abandonment."""
        ends = [leg.end for leg in self.legs()]
        abandonment = self.abandonment()
        if abandonment:
            return abandonment.at, abandonment.place
        closed = [end for end in ends if end]
        if not ends or len(closed) < len(ends):
            return None
        last = max(closed, key=lambda end: end.place)
        return last.at, last.place

    def transfers(self) -> list[Event]:
        """The transfers that count.

        "A transfer after the end or an abandonment changes nothing." "A transfer after an end counts only if an answer
        or a leg follows": then it was not the end of the call.

            offered   answered   ended   transferred     (nothing)
            offered   answered   ended   transferred   answered   (counts)
        """
        over = self.over()
        return [event for event in self.of("call.transferred") if not over or event.place < over[1]]

    def first_answer(self) -> tuple[int, int] | None:
        """(when, wait) of the first answer, told or derived: "A call counts as answered once."

        "An answer stamped after its end still answers": at its own instant, with the wait that it tells.
        """
        answers = [
            (leg.answer.at, leg.answer.place, milliseconds(leg.answer.data["wait_s"]))
            if leg.answer
            else (leg.began_at, leg.place, leg.began_at - self.queued_at())
            for leg in self.legs()
        ]
        return min(answers)[::2] if answers else None

    def lost_at(self) -> int | None:
        """A call that never ended is closed as lost, max_wait after its offer or max_talk after the open leg began.

        offered |-------- max_wait --------| lost
        offered |----- answered |------- max_talk -------| closed
        """
        offered = self.offered()
        if not offered or self.over():
            return None
        began = max((leg.began_at for leg in self.legs() if not leg.end), default=None)
        if began is not None:
            return began + self.desk.in_force(began).call_ms("max_talk", "2h")
        return offered.at + self.desk.in_force(offered.at).call_ms("max_wait", "2h")

    def done_at(self, by: int) -> int | None:
        """When it was over, as things stood at an instant: ended, abandoned or closed as lost."""
        over, lost_at = self.over(), self.lost_at()
        return over[0] if over else lost_at if lost_at is not None and lost_at < by else None

    # Where it was

    def where(self, place: Place | None) -> dict[str, str]:
        """Queue, team and segment before a place in the order of its events; without one: now."""
        dims = dict.fromkeys(("queue", "team", "segment"), "")
        offered = self.offered()
        if offered:
            dims |= {name: offered.data[name] for name in dims if name in offered.data}
        for event in self.transfers():
            if place is None or event.place < place:
                names = {"queue": "to_queue", "team": "to_team"}
                dims |= {name: event.data[given] for name, given in names.items() if given in event.data}
        return dims

    def first(self) -> dict[str, str]:
        """ "Offered, answered, abandoned and lost count under its first queue and first team": those of the offer."""
        offered = self.offered()
        return self.where(offered.place) if offered else {}

    def standing(self, at: int) -> Standing | None:
        """The call as it stood at an instant, as a survey sees it: the channel of a call is the phone."""
        if not self.events:
            return None
        at = max(at, self.events[0].at)
        then = Call([event for event in self.events if event.at <= at], self.desk, self.naming)
        agents = [leg.agent_id for leg in then.legs()]
        dims = then.where(None) | {"agent_id": agents[-1] if agents else "", "channel": "phone"}
        return Standing(at, dims, then.done_at(at), self.customer(at))

    def customer(self, at: int) -> str:
        """Whose call it was known to be at an instant."""
        return str(([event.data["customer_id"] for event in self.naming if event.at <= at] or [""])[-1])


def read_call(events: list[Event], desk: Desk) -> Call:
    """The call of its events: after its release, or after it was left in the voice menu, events change nothing."""
    kept: list[Event] = []
    naming: list[Event] = []
    left_in_the_menu = False
    for event in in_effective_order(events):
        so_far = Call(kept, desk, naming)
        done_at = so_far.done_at(event.at)
        if done_at is not None and event.at > done_at + desk.in_force(event.at).hold_ms:
            continue
        if event.data.get("customer_id"):
            naming.append(event)
        if left_in_the_menu:
            continue
        if event.type == "call.abandoned" and event.data["stage"] == "ivr":
            left_in_the_menu = bool(so_far.offered()) and not so_far.legs() and not so_far.abandonment()
        kept = [*kept, event]
    return Call(kept, desk, naming)
