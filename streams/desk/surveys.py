"""Surveys about one subject: each survey's offer, and for each metric the latest response in business time.

A missing team, agent, channel or segment is taken from the survey's ticket or call, as of the survey's time. So the
rows are rebuilt from all survey events of the subject, which are few, whenever either changes.

    ticket     created(team A)      assigned(team B)
    survey                   offered(A)          responded(B)
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streams.desk.output.tally import Tally
from streams.desk.policy.versions import Policies
from streams.models.dimensions import Dimensions
from streams.models.entities import SurveyRow
from streams.models.envelope import Event
from streams.models.rows import FactRow, Identity, Row, fact_of
from streams.models.surveys import Responded, SurveyOffered, SurveyResponded

MILLION = 1_000_000
DIMENSIONS = ("attitude", "efficiency", "resolution", "transparency")


class About(NamedTuple):
    """The dimensions of a survey's ticket or call at an instant."""

    team: str = ""
    channel: str = ""
    segment: str = ""
    agent_id: str = ""
    category: str = ""


def survey_rows(
    subject: str, events: Sequence[Event], about: Callable[[int], About | None], policies: Policies
) -> tuple[dict[Identity, Row], Tally]:
    """All rows of the surveys about one subject, and the tally of its responses, including repeated ones.

    `events`: its survey events in order. `about(at)`: its ticket or call as of `at`; None if that was released by
    then: a survey of that time has no effect.
    """
    offers: dict[str, SurveyOffered] = {}
    responses: dict[tuple[str, str], SurveyResponded] = {}
    stood_at: dict[int, About] = {}
    tally = Tally()
    for event in events:
        stood = about(event.at)
        if stood is None:
            continue
        stood_at[event.at] = stood
        if isinstance(event, SurveyOffered):
            offers[event.data.survey_id] = event
        elif isinstance(event, SurveyResponded):
            responses[event.data.survey_id, event.data.metric] = event
            tally.count_answer(_response_fact(subject, event, stood, policies))
    rows: list[Row] = []
    for offer in offers.values():
        stood = stood_at[offer.at]
        rows.append(_fact(subject, offer, offer.data.metric or "", stood, {"offered": 1}))
        if not any(survey_id == offer.data.survey_id for survey_id, _ in responses):
            rows.append(_survey_row(subject, offer, None, stood))
    for response in responses.values():
        stood = _named(response.data, stood_at[response.at])
        rows.append(_response_fact(subject, response, stood_at[response.at], policies))
        rows.append(_survey_row(subject, offers.get(response.data.survey_id), response, stood))
    return {row.identity(): row for row in rows}, tally


def normalised(score: float, data: Responded) -> int:
    """A score on its scale normalised to 0..1, in millionths (half to even)."""
    return round((score - data.scale_min) / (data.scale_max - data.scale_min) * MILLION)


def classify_response(data: Responded, policies: Policies, at: int) -> dict[str, int]:
    """The counters of a response: by the policy's thresholds; for NPS, promoter (9-10), passive, detractor (0-6)."""
    place = normalised(data.score, data)
    found = {"responses": 1, "score_sum": place}
    if data.metric == "nps":
        found["promoters" if data.score >= 9 else "detractors" if data.score <= 6 else "passives"] = 1
    else:
        csat = policies.at(at).csat
        if place >= csat.positive_from_ppm:
            found["positive"] = 1
            if place >= csat.very_positive_from_ppm:
                found["very_positive"] = 1
        else:
            found["negative" if place <= csat.negative_to_ppm else "neutral"] = 1
    for name, score in _parts(data).items():
        found |= {f"{name}_n": 1, f"{name}_sum": score}
    if data.handled_by:
        found[f"by_{data.handled_by}"] = 1
    return found


def _parts(data: Responded) -> dict[str, int]:
    if data.dimensions is None:
        return {}
    given = {name: getattr(data.dimensions, name) for name in DIMENSIONS}
    return {name: normalised(score, data) for name, score in given.items() if score is not None}


def _named(data: Responded, stood: About) -> About:
    """The dimensions of a response: its own, else those of the ticket or call at the time."""
    return About(
        data.team or stood.team,
        data.channel or stood.channel,
        data.segment or stood.segment,
        data.agent_id or stood.agent_id,
        stood.category,
    )


def _response_fact(subject: str, response: SurveyResponded, stood: About, policies: Policies) -> FactRow:
    data = response.data
    return _fact(subject, response, data.metric, _named(data, stood), classify_response(data, policies, response.at))


def _fact(subject: str, event: Event, metric: str, stood: About, found: dict[str, int]) -> FactRow:
    dims = Dimensions(stood.team, stood.channel, segment=stood.segment, category=stood.category)
    cause, counter = (event.source, event.id), next(iter(found))
    return fact_of("survey", subject, cause, counter, event.at, dims, stood.agent_id, found, metric=metric)


def _survey_row(subject: str, offer: SurveyOffered | None, response: SurveyResponded | None, stood: About) -> SurveyRow:
    either = response or offer
    assert either is not None
    answer = None if response is None else response.data
    return SurveyRow(
        subject,
        either.data.survey_id,
        either.data.metric or "",
        None if offer is None else offer.at,
        None if response is None else response.at,
        None if answer is None else answer.score,
        None if answer is None else answer.scale_min,
        None if answer is None else answer.scale_max,
        None if answer is None else normalised(answer.score, answer),
        either.data.ticket_id or "",
        either.data.call_id or "",
        either.data.customer_id or "",
        stood.agent_id,
        stood.team,
        stood.channel,
        stood.segment,
        "" if answer is None else answer.handled_by or "",
        {} if answer is None else _parts(answer),
    )
