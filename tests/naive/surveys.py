"""Surveys: the answer that stands, its class, and where it belongs."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Protocol

from tests.naive.log import Event, subject
from tests.naive.policies import Desk, exact
from tests.naive.tickets import Fact, Standing

MILLION = 1_000_000
SURVEY_DIMENSIONS = ("team", "channel", "segment", "agent_id")


class Contact(Protocol):
    """A ticket or a call, as it stood at any instant."""

    def standing(self, at: int) -> Standing | None:
        """After all events up to and including an instant; None before the first."""


def standing_of(event: Event, tickets: Mapping[str, Contact], calls: Mapping[str, Contact]) -> Standing | None:
    """The ticket or call that a survey names, as it stood at the survey's time."""
    if "ticket_id" in event.data:
        contact = tickets.get(event.data["ticket_id"])
    else:
        contact = calls.get(event.data.get("call_id", ""))
    return contact.standing(event.time) if contact else None


def dims_of(event: Event, standing: Standing | None) -> dict[str, str]:
    """A survey's own team, agent, channel and segment; missing ones are those of the ticket or call."""
    known = standing.dims if standing else {}
    return {name: event.data.get(name, known.get(name, "")) for name in SURVEY_DIMENSIONS}


def well_formed(event: Event) -> bool:
    """A score outside its scale, scale_min >= scale_max, NPS not on 0-10: a dead letter."""
    if event.type == "survey.offered":
        return True
    low, high = event.data["scale_min"], event.data["scale_max"]
    in_scale = bool(low < high and low <= event.data["score"] <= high)
    return in_scale and (event.data["metric"] != "nps" or (low, high) == (0, 10))


def normalised(event: Event) -> Fraction:
    """The score in 0..1."""
    low = exact(event.data["scale_min"])
    return (exact(event.data["score"]) - low) / (exact(event.data["scale_max"]) - low)


def classes(event: Event, desk: Desk) -> list[str]:
    """Very positive is positive too; neutral is between positive and negative. NPS has classes of its own.

    csat 1..5       1    2    3    4    5             nps   0 ... 6   7 8   9 10
    normalised      0   .25  .5   .75   1                   detr.     pass. prom.
                    negative      positive
    """
    if event.data["metric"] == "nps":
        score = event.data["score"]
        return ["promoters" if score >= 9 else "passives" if score >= 7 else "detractors"]
    policy, score = desk.in_force(event.time), normalised(event)
    if score >= policy.csat("positive_from", "0.75"):
        return ["positive"] + ["very_positive"] * (score >= policy.csat("very_positive_from", "1.0"))
    return ["negative" if score <= policy.csat("negative_to", "0.5") else "neutral"]


def identity(event: Event) -> tuple[str, ...]:
    """(subject, survey_id, metric) of a response, (subject, survey_id) of an offer."""
    key = (event.type, subject(event), str(event.data["survey_id"]))
    return (*key, event.data["metric"]) if event.type == "survey.responded" else key


def survey_facts(
    events: Iterable[Event], desk: Desk, tickets: Mapping[str, Contact], calls: Mapping[str, Contact]
) -> list[Fact]:
    """Of each identity the latest in business time (then sequence, source, id) stands, in its own minute."""
    latest: dict[tuple[str, ...], Event] = {}
    for event in sorted(events, key=lambda event: (event.time, event.sequence, event.source, event.id)):
        standing = standing_of(event, tickets, calls)
        done_at = standing.done_at if standing else None
        released = done_at is not None and event.time > done_at + desk.in_force(event.time).hold_ms
        if well_formed(event) and not released:
            latest[identity(event)] = event
    facts: list[Fact] = []
    for event in latest.values():
        dims = dims_of(event, standing_of(event, tickets, calls)) | {"metric": event.data.get("metric", "")}
        if event.type == "survey.offered":
            facts.append((event.time, dims, "offered", 1))
        else:
            facts.append((event.time, dims, "responses", 1))
            facts.append((event.time, dims, "score_sum", round(normalised(event) * MILLION)))
            facts += [(event.time, dims, name, 1) for name in classes(event, desk)]
    return facts
