"""A call: how it waited, who answered it, its legs, and what each counts."""
