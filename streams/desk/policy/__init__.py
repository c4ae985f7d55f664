"""The policy: TOML to typed sections, versions in time, SLA targets, and restatement under a changed policy."""
