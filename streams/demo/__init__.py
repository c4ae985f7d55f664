"""The parts of `deskwatch demo`: a simulated desk that goes with the clock, its figures, and how they are shown."""
