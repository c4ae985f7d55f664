"""Business time: opening hours, holidays, and the open time of a calendar between two instants."""
