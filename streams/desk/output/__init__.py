"""The output of a partition: a change set of rows, minute panes, tallies for the window rules, warnings."""
