"""What all tests share: no example of a property has a deadline, for a busy machine is no fault of the code."""

from hypothesis import settings

settings.register_profile("deskwatch", deadline=None)
settings.load_profile("deskwatch")
