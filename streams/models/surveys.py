"""Survey events, keyed by their ticket or call, else by survey_id."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from streams.models.envelope import Channel, Data, Event, Id, Segment

SurveyMetric = Literal["csat", "nps", "ces", "resolution"]
Score = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]


class SurveyData(Data, kw_only=True):
    """The common data of survey events."""

    survey_id: Id
    ticket_id: str | None = None
    call_id: str | None = None
    customer_id: str | None = None


class SurveyEvent(Event):
    """A survey event: its subject is its ticket or call."""

    data: SurveyData

    def key(self) -> str:
        """The ticket or call, else the survey."""
        return self.data.ticket_id or self.data.call_id or self.data.survey_id


class Offered(SurveyData):
    """Data of `survey.offered`."""

    metric: SurveyMetric | None = None


class SurveyOffered(SurveyEvent, tag="survey.offered"):
    """A survey was offered to a customer."""

    rank: ClassVar[int] = 0
    data: Offered


class Dimensions(Data):
    """Scores by dimension of service, on the survey's own scale."""

    attitude: Score | None = None
    efficiency: Score | None = None
    resolution: Score | None = None
    transparency: Score | None = None


class Responded(SurveyData, kw_only=True):
    """Data of `survey.responded`; `score` is within [scale_min, scale_max], for NPS 0-10."""

    metric: SurveyMetric
    score: Score
    scale_min: Score
    scale_max: Score
    agent_id: str | None = None
    team: str | None = None
    channel: Channel | None = None
    segment: Segment | None = None
    handled_by: Literal["human", "bot"] | None = None
    dimensions: Dimensions | None = None


class SurveyResponded(SurveyEvent, tag="survey.responded"):
    """A customer answered."""

    data: Responded

    def fault(self) -> str | None:
        """The fault of the score, as one sentence; None if it is valid."""
        data = self.data
        low, high = data.scale_min, data.scale_max
        if low >= high:
            return f"scale_min {low:g} is not below scale_max {high:g}"
        if data.metric == "nps" and (low, high) != (0, 10):
            return f"an nps score must be on the scale 0 to 10, not {low:g} to {high:g}"
        scores = [data.score]
        if (parts := data.dimensions) is not None:
            given = (parts.attitude, parts.efficiency, parts.resolution, parts.transparency)
            scores += [score for score in given if score is not None]
        outside = next((s for s in scores if not low <= s <= high), None)
        return None if outside is None else f"score {outside:g} is outside its scale {low:g} to {high:g}"


EVENTS = (SurveyOffered, SurveyResponded)
