"""The desk's rules once more, in the plainest code: what the real core is compared with.

Nothing here is imported by the product and nothing of the product is imported here: an error would have to be made
twice to go unseen. Everything is recomputed from lists of what happened; nothing is kept up to date.

    log.py        events: times, identity, order within a subject
    calendars.py  business time, day by day
    policies.py   which policy, SLA and target apply
    clocks.py     one SLA clock: when it ran, and what that makes of it
    sla.py        all clocks of a ticket, the passing of time, the ledger
    tickets.py    one ticket: what its events do to its dimensions, clocks and counters
    results.py    a folded ticket's ledger, outcomes and facts
    warnings.py   the warnings about a ticket as a whole
    calls.py      one call
    signals.py    callbacks, improvements, agents' states, reviews
    surveys.py    the answers that stand
    contacts.py   first contact resolution
    fold.py       all of it over a log: `fold(events, policies, as_of)`
"""
