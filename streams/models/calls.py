"""Call events, keyed by call_id."""

from typing import ClassVar, Literal

from streams.models.envelope import Data, Event, Id, Seconds, Segment


class CallData(Data, kw_only=True):
    """What every call event names."""

    call_id: Id
    customer_id: str | None = None


class CallEvent(Event):
    """A call event: its subject is the call."""

    data: CallData

    def key(self) -> str:
        """The call."""
        return self.data.call_id


class Offered(CallData):
    """Data of `call.offered`."""

    queue: str | None = None
    team: str | None = None
    segment: Segment | None = None
    ivr_s: Seconds | None = None
    ticket_id: str | None = None
    category: str | None = None


class CallOffered(CallEvent, tag="call.offered"):
    """A call came in."""

    rank: ClassVar[int] = 0
    data: Offered


class Answered(CallData, kw_only=True):
    """Data of `call.answered`."""

    wait_s: Seconds
    agent_id: str | None = None
    ticket_id: str | None = None


class CallAnswered(CallEvent, tag="call.answered"):
    """An agent took the call."""

    rank: ClassVar[int] = 2
    data: Answered


class Abandoned(CallData, kw_only=True):
    """Data of `call.abandoned`."""

    wait_s: Seconds
    stage: Literal["ivr", "queue", "ring"] | None = None


class CallAbandoned(CallEvent, tag="call.abandoned"):
    """The caller hung up before an agent answered."""

    rank: ClassVar[int] = 4
    defaults: ClassVar[dict[str, object]] = {"stage": "queue"}
    data: Abandoned


class Transferred(CallData):
    """Data of `call.transferred`."""

    to_queue: str | None = None
    to_team: str | None = None
    agent_id: str | None = None


class CallTransferred(CallEvent, tag="call.transferred"):
    """The call went to another queue, team or agent."""

    rank: ClassVar[int] = 3
    data: Transferred


class Ended(CallData, kw_only=True):
    """Data of `call.ended`, of one leg; `time` is the end of the wrap-up."""

    talk_s: Seconds
    hold_s: Seconds | None = None
    wrapup_s: Seconds | None = None
    agent_id: str | None = None
    ticket_id: str | None = None


class CallEnded(CallEvent, tag="call.ended"):
    """A leg of a call is over."""

    rank: ClassVar[int] = 5
    data: Ended


EVENTS = (CallOffered, CallAnswered, CallAbandoned, CallTransferred, CallEnded)
