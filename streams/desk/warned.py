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
    url: str = ""
    version: int = 0
    is_deleted: int = 0

    def labels(self) -> set[str]:
        """What the warning is about, in the words that expert pools have for tags."""
        named = (self.rule, self.team, self.kind, self.segment, self.category, self.product, self.value)
        return {*filter(None, named)}
