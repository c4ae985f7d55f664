"""chDB, imported with the time zone UTC, as in ClickHouse's own images, whatever the zone of this machine.

chdb-core 26.9 reads the zone only from TZ, at import.
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
