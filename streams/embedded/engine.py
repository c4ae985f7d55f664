"""chDB, imported so that its time zone is UTC, as in ClickHouse's own images, wherever this machine stands.

chdb-core 26.9 takes the zone from TZ at the moment it is imported, and from nothing else.
"""

import os

_before = os.environ.get("TZ")
os.environ["TZ"] = "UTC"
import chdb  # noqa: E402

if _before is None:
    del os.environ["TZ"]
else:
    os.environ["TZ"] = _before

__all__ = ["chdb"]
