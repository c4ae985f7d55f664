"""The desk's rules once more, in the plainest code: what the real core is compared with.

Nothing here is imported by the product and nothing of the product is imported here: an error would have to be made
twice to go unseen. Everything is recomputed from lists of what happened; nothing is kept up to date.

    fields.py      the types: topic, subject, fields, defaults
    scores.py      scores and their scales
    log.py         events: times, identity, dead letters, order within a subject
    calendars.py   business time, day by day
    policies.py    which policy, SLA and target apply
    clocks.py      one SLA clock: when it ran, and what that makes of it
    sla.py         all clocks of a ticket, the passing of time, the ledger
    tickets.py     one ticket: what its events do to its dimensions, clocks and counters
    results.py     a folded ticket's ledger, outcomes and facts
    warnings.py    the warnings about a ticket as a whole
    legs.py        which answer and which end of a call belong together
    calls.py       one call: where it was and what became of it
    call_facts.py  what a call counts, its row, its legs, where it waited
    signals.py     callbacks, improvements, agents' states, reviews
    surveys.py     the answers that stand
    contacts.py    contacts, and first contact resolution
    intervals.py   the desk's days, hours and quarter hours
    service.py     service levels in all variants
    fold.py        all of it over a log: `fold(log, policies, as_of)`

For worked examples: desk.py (small logs and policies), one_call.py (logs of one call), cases.py (the shared cases).
"""
