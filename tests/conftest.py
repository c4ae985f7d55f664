"""Common settings of all tests of properties.

A slow machine is not a fault of the code: no deadline. What passed once passes again: the examples of `make test` are
the same in every run. `make proof` searches on with others (`--hypothesis-profile=search`).
"""

from hypothesis import settings

settings.register_profile("deskwatch", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("deskwatch")
