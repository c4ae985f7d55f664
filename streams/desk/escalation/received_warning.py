"""A warning as whoever is told of it reads it from the topic `risk-warnings`."""

import msgspec


class Warned(msgspec.Struct, omit_defaults=True):
    """The fields that a chain or a message needs."""

    warning_id: str
    rule: str
    subject: str
    severity: str
    raised_at: int
    state: str = "raised"
    cleared_at: int | None = None
    cleared_by: str = ""
    ticket_id: str = ""
    metric: str = ""
    elapsed_ms: int = 0
    target_ms: int = 0
    due_at: int | None = None
    policy: str = ""
    team: str = ""
    channel: str = ""
    kind: str = ""
    segment: str = ""
    category: str = ""
    product: str = ""
    agent_id: str = ""
    customer_id: str = ""
    dimension: str = ""
    value: str = ""
    measures: dict[str, float] = {}
    reasons: list[tuple[str, float, str]] = []
    cause: str = ""
    parent_id: str = ""
    url: str = ""
    version: int = 0
    is_deleted: int = 0

    @property
    def family(self) -> tuple[str, str]:
        """Rule and subject of the warning that this one folds into: those of the ticket's parent, or its own."""
        if not self.parent_id:
            return self.rule, self.subject
        if self.subject == f"ticket/{self.ticket_id}":
            return self.rule, f"ticket/{self.parent_id}"
        return self.rule, self.parent_id + self.subject.removeprefix(self.ticket_id)

    def labels(self) -> set[str]:
        """What the warning is about, in the words that expert pools have for tags."""
        named = (self.rule, self.team, self.kind, self.segment, self.category, self.product, self.value)
        return {*filter(None, named)}
