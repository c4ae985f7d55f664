"""Surveys: the answer that stands, its class, and where it belongs."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from tests.naive.log import Event
from tests.naive.policies import Desk
from tests.naive.scores import normalised
from tests.naive.tickets import Fact, Standing

MILLION = 1_000_000
SURVEY_DIMENSIONS = ("team", "channel", "segment", "agent_id")


class Contact(Protocol):
    """A ticket or a call, as it stood at any instant."""

    def standing(self, at: int) -> Standing | None:
        """After all events up to and including an instant; None before the first."""


def standing_of(event: Event, tickets: Mapping[str, Contact], calls: Mapping[str, Contact]) -> Standing | None:
    """The ticket or call that a survey names, as it stood at the survey's time."""
    if event.data.get("ticket_id"):
        contact = tickets.get(event.data["ticket_id"])
    else:
        contact = calls.get(event.data.get("call_id", ""))
    return contact.standing(event.time) if contact else None


def dims_of(event: Event, standing: Standing | None) -> dict[str, str]:
    """A survey's own team, agent, channel and segment; missing (or empty) ones are those of the ticket or call.

    "A survey counts for the agent it names, else for who last replied publicly, else for the assignee."
    """
    known = dict(standing.dims) if standing else {}
    if standing and standing.replier:
        known["agent_id"] = standing.replier
    return {name: event.data.get(name) or known.get(name, "") for name in SURVEY_DIMENSIONS}


def classes(event: Event, desk: Desk) -> list[str]:
    """Very positive is positive too; neutral is between positive and negative. NPS has classes of its own.

    csat 1..5       1    2    3    4    5             nps   0 ... 6   7 8   9 10
    normalised      0   .25  .5   .75   1                   detr.     pass. prom.
                    negative      positive
    """
    if event.data["metric"] == "nps":
        score = event.data["score"]
        return ["promoters" if score >= 9 else "passives" if score >= 7 else "detractors"]
    policy, score = desk.in_force(event.time), normalised(event.data)
    if score >= policy.csat("positive_from", "0.75"):
        return ["positive"] + ["very_positive"] * (score >= policy.csat("very_positive_from", "1.0"))
    return ["negative" if score <= policy.csat("negative_to", "0.5") else "neutral"]


def identity(event: Event) -> tuple[str, ...]:
    """(subject, survey_id, metric) of a response, (subject, survey_id) of an offer."""
    key = (event.type, event.subject, str(event.data["survey_id"]))
    return (*key, event.data["metric"]) if event.type == "survey.responded" else key


def released(event: Event, standing: Standing | None, desk: Desk) -> bool:
    """ "An event *timed* after its subject's release changes nothing, in every fold." """
    done_at = standing.done_at if standing else None
    return done_at is not None and event.time > done_at + desk.in_force(event.time).hold_ms


def survey_facts(
    events: Iterable[Event], desk: Desk, tickets: Mapping[str, Contact], calls: Mapping[str, Contact]
) -> list[Fact]:
    """Of each identity the latest in business time (then sequence, source, id) stands, in its own minute."""
    latest: dict[tuple[str, ...], Event] = {}
    for event in sorted(events, key=lambda event: (event.time, event.sequence, event.source, event.id)):
        if not released(event, standing_of(event, tickets, calls), desk):
            latest[identity(event)] = event
    facts: list[Fact] = []
    for event in latest.values():
        dims = dims_of(event, standing_of(event, tickets, calls)) | {"metric": event.data.get("metric", "")}
        if event.type == "survey.offered":
            facts.append((event.time, dims, "offered", 1))
        else:
            facts.append((event.time, dims, "responses", 1))
            facts.append((event.time, dims, "score_sum", round(normalised(event.data) * MILLION)))
            facts += [(event.time, dims, name, 1) for name in classes(event, desk)]
    return facts
