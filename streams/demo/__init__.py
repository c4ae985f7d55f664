"""The parts of `deskwatch demo`: a simulated desk in real time, its figures, and the board that shows them."""
