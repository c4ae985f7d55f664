"""What the desk writes: a change set of rows, minute panes, tallies for the window rules, warnings."""
