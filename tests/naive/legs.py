"""The legs of a call: which answer and which end belong together."""

from dataclasses import dataclass

from tests.naive.log import RANKS, Event, Place

PARTS = ("talk", "hold", "wrapup")


def milliseconds(seconds: float) -> int:
    """`*_s` of an event in milliseconds."""
    return round(seconds * 1000)


def part_ms(end: Event, part: str) -> int:
    """Talk, hold or wrap-up of an end."""
    return milliseconds(end.data.get(f"{part}_s", 0))


def agent_of(event: Event) -> str:
    """The agent whom an event names, if any."""
    return str(event.data.get("agent_id", ""))


@dataclass
class Leg:
    """A stretch of a call with one agent; its queue and team are those in force at `place`."""

    began_at: int
    place: Place
    agent_id: str
    answer: Event | None = None
    end: Event | None = None

    def close(self, end: Event) -> None:
        """It has its end; an agent whom the answer did not name is the one whom the end names."""
        self.end = end
        self.agent_id = self.agent_id or agent_of(end)


def began(end: Event, queued_at: int) -> tuple[int, Place]:
    """When a leg without an answer began, and its place among the events: as an answer at that instant.

    "An end without an answer, but with talk, began its leg at end - talk - hold - wrap-up, not before it queued (`time`
    is the wrap-up's end)." Never after its own end, which may be timed before the offer.

        queued      began                              end
          |           |===== talk, hold, wrap-up =======|
    """
    at = max(end.at - sum(part_ms(end, part) for part in PARTS), queued_at)
    return at, (at, True, (min(at, end.time), RANKS["call.answered"], end.sequence, end.source, end.id))


def ended_leg(end: Event, open_legs: list[Leg]) -> Leg | None:
    """Which of the open legs an end ends: the oldest of its agent; if it names none, the oldest.

    "A leg […] ends at the next `call.ended` of its agent, or, if that names none, of the oldest open leg."
    Reading: an end that names an agent may also end the oldest leg whose agent is not known, never one of another.
    """
    agent = agent_of(end)
    candidates = [leg for leg in open_legs if leg.agent_id == agent] if agent else open_legs
    candidates = candidates or [leg for leg in open_legs if not leg.agent_id]
    return candidates[0] if candidates else None


def legs_of(events: list[Event], queued_at: int) -> tuple[list[Leg], list[Event]]:
    """The legs of a call in the order of their beginnings, and the ends that belong to none.

    "An answer stamped after its end still answers." Reading: the ends of later instants come first. Only an answer
    whose leg no later end ends takes the nearest earlier end that had no answer, of its agent or of nobody known.

        answered a   ended a   ended b   answered b            answered   ended
             |=========|         |<- its end -|                    (a late one: never before its end)
    """
    legs: list[Leg] = []
    lonely: list[Event] = []  # ends without an answer
    for event in events:
        if event.type == "call.answered":
            legs.append(Leg(event.at, event.place, agent_of(event), answer=event))
        elif event.type == "call.ended":
            leg = ended_leg(event, [leg for leg in legs if leg.end is None])
            if leg:
                leg.close(event)
            else:
                lonely.append(event)
    for leg in [leg for leg in legs if leg.end is None]:
        before = [end for end in lonely if end.place < leg.place]
        its = [end for end in before if not agent_of(end) or not leg.agent_id or agent_of(end) == leg.agent_id]
        if its:
            leg.close(its[-1])
            leg.began_at, leg.place = began(its[-1], queued_at)
            lonely.remove(its[-1])
    for end in [end for end in lonely if part_ms(end, "talk")]:
        legs.append(Leg(*began(end, queued_at), agent_of(end), end=end))
        lonely.remove(end)
    return sorted(legs, key=lambda leg: leg.place), lonely
