"""The state of one partition of role track: subjects, their events, time, and its snapshot."""
