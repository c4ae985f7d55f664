"""Alert quality: what followed the warnings of a log, and what would have followed as many alerts at random."""
