"""Common settings of all tests: property examples have no deadline, since a slow machine is not a fault of the code."""

from hypothesis import settings

settings.register_profile("deskwatch", deadline=None)
settings.load_profile("deskwatch")
