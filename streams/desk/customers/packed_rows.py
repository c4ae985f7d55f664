"""The rows of a customer, encoded: customers are very many, and their rows are seldom needed."""

import msgspec

from streams.models.entities import CustomerRow
from streams.models.rows import FactRow, Identity, Row, WarningRow


class _Rows(msgspec.Struct, array_like=True):
    """All rows of a customer, by kind."""

    facts: list[FactRow]
    warnings: list[WarningRow]
    customers: list[CustomerRow]


_decode = msgspec.msgpack.Decoder(_Rows).decode
_encode = msgspec.msgpack.Encoder().encode


def pack(rows: dict[Identity, Row]) -> bytes:
    """Pack the rows of a customer, before a snapshot sets their version."""
    packed = _Rows([], [], [])
    for row in rows.values():
        if isinstance(row, FactRow):
            packed.facts.append(row)
        elif isinstance(row, WarningRow):
            packed.warnings.append(row)
        else:
            assert isinstance(row, CustomerRow)
            packed.customers.append(row)
    return _encode(packed)


def unpack(packed: bytes) -> dict[Identity, Row]:
    """Return the packed rows."""
    found = _decode(packed)
    rows: list[Row] = [*found.facts, *found.warnings, *found.customers]
    return {row.identity(): row for row in rows}


NO_ROWS = pack({})
