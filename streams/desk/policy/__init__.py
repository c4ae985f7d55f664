"""The policy: TOML to typed sections, versions in time, SLA targets, and what changes when a version does."""
