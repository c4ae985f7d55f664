"""The window rules: warnings about teams, queues and categories, judged once a minute over all partitions."""
