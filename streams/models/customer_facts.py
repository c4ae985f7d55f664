"""The messages from track to the stage `customers`: facts about each ticket, call, survey or score.

A fact is a full snapshot: for each identity (customer, subject), the highest version counts. With `is_deleted`, the
subject no longer belongs to that customer. Instants are ms since the epoch.
"""

import msgspec

FACTS, LINKS, CHANGES = "deskwatch.customer_facts", "deskwatch.customer_links", "deskwatch.policy_changes"
"""CloudEvents types of the messages, each with many rows."""

Signal = tuple[str, int, float]  # a signal of the complaint-risk index, its instant, and its weight


class Solved(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A ticket's first solving: its dimensions then, and whether it was reopened or transferred."""

    at: int
    again: bool  # it was reopened, or transferred to another team
    team: str
    channel: str
    priority: str
    kind: str
    segment: str
    category: str
    product: str
    agent_id: str


class CustomerFact(msgspec.Struct, array_like=True, gc=False):
    """A fact about a ticket or call (with the surveys and scores about it), for its customer.

    `subject` is its kind and id: `t17`, `c4`; a score (`n`) or answer (`s`) that names its customer is a
    separate subject. `contact_at`: when the customer contacted the desk; None: unknown. `about`: the ticket named by a
    call, score or answer. A signal's instant may be in the future: it occurs if nothing changes until then (silence).
    `known_at`: when the customer became known. `held_until`: no later event changes the fact.
    """

    customer_id: str
    subject: str
    contact_at: int | None = None
    category: str = ""
    about: str = ""
    is_open: bool = False
    team: str = ""
    url: str = ""
    tags: list[str] = []
    signals: list[Signal] = []
    solved: Solved | None = None
    known_at: int = 0
    held_until: int = 0
    version: int = 0
    is_deleted: int = 0


class CustomerLink(msgspec.Struct, array_like=True, gc=False):
    """Two ids are one customer. `key` identifies the event."""

    key: str
    customer_id: str
    other_id: str
    version: int = 0


class PolicyChange(msgspec.Struct, array_like=True, gc=False):
    """An announced policy change. `key` identifies the event; `known_at` is its time."""

    key: str
    change_id: str
    title: str
    tags: list[str]
    announced_at: int
    effective_at: int
    known_at: int = 0
    version: int = 0
