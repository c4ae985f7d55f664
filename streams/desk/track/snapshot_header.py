"""The header of a desk's snapshots: what a partition knows besides its subjects and panes.

`FORMAT` is the number of the encoding of all that a desk writes into its changelog. A release reads its own and all
earlier ones (new fields stand at the end and have defaults); a later one it refuses.

    1   as first released
    2   with the policy that was followed (entries `v`, `w`), the latest instant, and the rejected records
"""

import msgspec

from streams.errors import UserError

FORMAT = 2


class CheckpointRefused(UserError):
    """A checkpoint that this release must not go on from: one sentence."""


class SnapshotHeader(msgspec.Struct, array_like=True):
    """One value, written with every snapshot.

    Attributes:
        seen, advanced, latest: the watermarks (`streams.desk.track.watermark`).
        opened: the number of the pane opened last.
        business_time, passed_for: how far time has passed (`streams.desk.track.deadlines`).
        closing: the closure that tickets are to follow, if they do not all yet, and the one it replaces.
        restated, restating: how far subjects follow other policies, and whether those are of another policy.
        rejected: by topic, how many records were read, and which of the last ones were rejected.
    """

    seen: dict[str, int]
    advanced: dict[str, int]
    opened: int
    business_time: int
    passed_for: str = ""
    closing: tuple[bytes, bytes | None] | None = None
    restated: str = ""
    format: int = 1
    latest: int = -1
    rejected: dict[str, tuple[int, list[int]]] = {}
    restating: bool = False


class _Format(msgspec.Struct, array_like=True):
    """Only what tells the format, of whatever types the rest may be."""

    seen: msgspec.Raw
    advanced: msgspec.Raw
    opened: msgspec.Raw
    business_time: msgspec.Raw
    passed_for: msgspec.Raw = msgspec.Raw()
    closing: msgspec.Raw = msgspec.Raw()
    restated: msgspec.Raw = msgspec.Raw()
    format: int = 1


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SnapshotHeader).decode
_format = msgspec.msgpack.Decoder(_Format).decode


def decode(value: bytes, partition: int) -> SnapshotHeader:
    """The header in a checkpoint. Raises CheckpointRefused, for one of a release that is newer than this."""
    try:
        found = _format(value).format
        if found <= FORMAT:
            header = _decode(value)
            if found == 1 and header.restated:
                header.restated = "t" + header.restated  # it held a ticket's id, and now a subject's name
            return header
    except msgspec.DecodeError as error:
        raise CheckpointRefused(
            f"The checkpoint of partition {partition} cannot be read ({error}): start the release that wrote it."
        ) from None
    raise CheckpointRefused(
        f"The checkpoint of partition {partition} was written by a newer release (its format is {found}, this one "
        f"knows those up to {FORMAT}): start that release, or begin with new topics and replay the log."
    )
