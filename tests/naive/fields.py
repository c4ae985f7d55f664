"""What SPEC section 1 says of each event type: its topic, its subject, its fields and their defaults."""

from typing import Any

# (required, optional)
FIELDS: dict[str, tuple[str, str]] = {
    "ticket.created": (
        "ticket_id",
        "customer_id priority kind channel team agent_id category tags segment product severity attributes url"
        " parent_id",
    ),
    "ticket.assigned": ("ticket_id", "team agent_id customer_id"),
    "ticket.replied": ("ticket_id author", "public auto agent_id"),
    "ticket.status_changed": ("ticket_id status", "agent_id reason"),
    "ticket.updated": (
        "ticket_id",
        "priority kind category tags segment severity product customer_id parent_id",
    ),
    "ticket.stage_changed": ("ticket_id stage", "agent_id"),
    "ticket.merged": ("ticket_id into", ""),
    "ticket.exempted": ("ticket_id metric by reason", "cycle"),
    "call.offered": ("call_id", "customer_id queue team segment ivr_s ticket_id category"),
    "call.answered": ("call_id wait_s", "agent_id customer_id ticket_id"),
    "call.abandoned": ("call_id wait_s", "stage"),
    "call.transferred": ("call_id", "to_queue to_team agent_id"),
    "call.ended": ("call_id", "talk_s hold_s wrapup_s agent_id customer_id ticket_id"),
    "survey.offered": ("survey_id", "metric ticket_id call_id customer_id"),
    "survey.responded": (
        "survey_id metric score scale_min scale_max",
        "ticket_id call_id customer_id agent_id team channel segment handled_by dimensions",
    ),
    "review.completed": ("review_id passed", "ticket_id call_id agent_id team score mystery errors"),
    "callback.due": ("callback_id", "customer_id segment due_at reached recorded ticket_id"),
    "callback.rescheduled": ("callback_id", "customer_id segment due_at reached recorded ticket_id"),
    "callback.done": ("callback_id", "customer_id segment due_at reached recorded ticket_id"),
    "contact.proactive": ("contact_id", "customer_id agent_id team occasion"),
    "agent.state_changed": ("agent_id state", "team"),
    "policy.announced": ("change_id announced_at effective_at", "title tags"),
    "sentiment.scored": ("score", "ticket_id call_id customer_id"),
    "customer.linked": ("customer_id other_id", ""),
    "evaluation.completed": ("agent_id rater score period", "scheme"),
    "action.opened": ("action_id", "owner due_at title ticket_id"),
    "action.done": ("action_id", "owner due_at title ticket_id"),
    "metric.reported": ("name value period", "agent_id team unit"),
    "clock.advanced": ("to", ""),
    "desk.closed": ("calendar from to", "reason"),
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "ticket.created": {"priority": "normal", "kind": "question"},
    "ticket.replied": {"public": True, "auto": False},
    "call.abandoned": {"stage": "queue"},
}

INSTANTS = ("due_at", "announced_at", "effective_at", "from", "to")
DESKS_OWN = ("kind", "channel", "segment", "stage")  # vocabularies that may be the desk's own

TOPICS = {"ticket": "tickets", "call": "calls", "survey": "surveys", "clock": "", "desk": ""}  # others: signals

# "Tickets by ticket_id, calls by call_id", "callbacks and improvement actions by their own id always."
ALWAYS_BY = {"ticket": "ticket_id", "call": "call_id", "callback": "callback_id", "action": "action_id"}
OWN_ID = {
    "survey": "survey_id", "review": "review_id", "contact": "contact_id", "agent": "agent_id", "policy": "change_id",
    "customer": "customer_id", "evaluation": "agent_id", "metric": "name",
}  # fmt: skip


def family_of(type_: str) -> str:
    """`ticket` of `ticket.created`."""
    return type_.split(".")[0]


def topic_of(type_: str) -> str:
    """The topic of a type; empty for those that may come in any one."""
    return TOPICS.get(family_of(type_), "signals")


def subject_of(type_: str, event_id: str, data: dict[str, Any]) -> str:
    """The Kafka key of an event; about a ticket or call with its kind, since a ticket and a call may have one id.

    "Kafka key = the subject, for life: tickets by ticket_id, calls by call_id, surveys and other signals by the ticket
    or call they name, else by their own id; callbacks and improvement actions by their own id always."
    Reading: a type that goes to every partition has no subject; a score without ticket or call has its event's id.
    """
    family = family_of(type_)
    if topic_of(type_) == "":
        return ""
    if family in ALWAYS_BY:
        return str(data[ALWAYS_BY[family]])
    for kind in ("ticket", "call"):
        if named := data.get(f"{kind}_id"):
            return f"{kind}/{named}"
    return str(data.get(OWN_ID.get(family, "")) or event_id)
