"""Business time: opening hours, holidays, and how much time of a calendar lies between two instants."""
