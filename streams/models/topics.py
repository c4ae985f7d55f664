"""The name of every topic, once. The contract fixes them: dashboards, BI and other systems read by these names.

tickets, calls, surveys, signals ──track──> sla-ledger, facts, rollups, risk-warnings, dead-letters
                                      └───> customer-facts (role track itself), watch-rollups (role watch),
                                            incident-warnings (role escalate)
risk-warnings, incident-warnings, actions ──escalate──> escalations
"""

INPUTS = ("tickets", "calls", "surveys", "signals")
LEDGER = "sla-ledger"
FACTS = "facts"
"""Facts, and the current row of each entity."""

ROLLUPS = "rollups"
"""Minute panes, compacted."""

WARNINGS = "risk-warnings"
INCIDENTS = "incident-warnings"
"""The warnings of tickets with a parent once more, in the partition of the parent, and the progress of all desks."""

DEAD_LETTERS = "dead-letters"
CUSTOMER_FACTS = "customer-facts"
WATCH_ROLLUPS = "watch-rollups"
"""Tallies: the counts for the window rules."""

ACTIONS = "actions"
ESCALATIONS = "escalations"

PROGRESS_TOPICS = (LEDGER, FACTS, ROLLUPS, WARNINGS)
"""Role track reports its progress on each of these."""

TRACK_OUTPUTS = (*PROGRESS_TOPICS, DEAD_LETTERS, CUSTOMER_FACTS, WATCH_ROLLUPS, INCIDENTS)
ESCALATE_OUTPUTS = (ESCALATIONS, WARNINGS, ACTIONS, DEAD_LETTERS)

CUSTOMERS, WATCH = "customers", "watch"
"""The stages after track. Each reports its progress on its topics, in progress rows named `topic/stage`."""

CUSTOMERS_TOPICS, WATCH_TOPICS = (FACTS, ROLLUPS, WARNINGS), (WARNINGS,)
"""The topics of the rows of a stage."""
