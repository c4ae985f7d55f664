"""The name of every topic, once. The contract fixes them: dashboards, BI and other systems read by these names.

tickets, calls, surveys, signals ──track──> sla-ledger, facts, rollups, risk-warnings, dead-letters
                                      └───> customer-facts (role track itself), watch-rollups (role watch)
risk-warnings, actions ──escalate──> escalations
"""

INPUTS = ("tickets", "calls", "surveys", "signals")
LEDGER = "sla-ledger"
FACTS = "facts"
"""Facts, and each entity as it stands."""

ROLLUPS = "rollups"
"""Minute panes, compacted."""

WARNINGS = "risk-warnings"
DEAD_LETTERS = "dead-letters"
CUSTOMER_FACTS = "customer-facts"
WATCH_ROLLUPS = "watch-rollups"
"""Tallies: what the window rules count."""

ACTIONS = "actions"
ESCALATIONS = "escalations"
AUDIT = "audit"

PROGRESS_TOPICS = (LEDGER, FACTS, ROLLUPS, WARNINGS)
"""On each of these role track says how far it is."""

TRACK_OUTPUTS = (*PROGRESS_TOPICS, DEAD_LETTERS, CUSTOMER_FACTS, WATCH_ROLLUPS)
ESCALATE_OUTPUTS = (ESCALATIONS, WARNINGS, ACTIONS, DEAD_LETTERS)

CUSTOMERS, WATCH = "customers", "watch"
"""The stages after the desk. Each says on its topics how far it is, in progress rows that are named `topic/stage`."""

CUSTOMERS_TOPICS, WATCH_TOPICS = (FACTS, ROLLUPS, WARNINGS), (WARNINGS,)
"""The topics that the rows of a stage go to."""
