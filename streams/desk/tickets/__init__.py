"""A ticket: its life cycle, SLA clocks, ledger, silence and risk signals."""
