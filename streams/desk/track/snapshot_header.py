"""The header of a snapshot: the state of a partition besides its subjects and panes.

`FORMAT` is the version of the encoding of the whole changelog. A release reads its own and all earlier formats (new
fields go at the end and have defaults); it refuses later ones.

    1   as first released
    2   with the policy that was followed (entries `v`, `w`), the latest instant, and the rejected records
    3   with the rules of the release, and the progress of a restatement by them
"""

import msgspec

from streams.desk.output.release import Progress
from streams.errors import UserError

FORMAT = 3


class CheckpointRefused(UserError):
    """A checkpoint that this release must not continue from. The message is one sentence."""


class SnapshotHeader(msgspec.Struct, array_like=True):
    """One value, written with every snapshot.

    Attributes:
        seen, advanced, latest, ended: the watermarks (`streams.desk.track.watermark`).
        opened: the number of the pane opened last.
        business_time, passed_for: the progress of time (`streams.desk.track.deadlines`).
        closing: the closure being applied to the tickets, if any, and the one it replaces.
        restated, restating: the last subject restated, and whether a new policy (not a closure) is the cause.
        rejected: by topic, the number of records read, and the numbers of the last ones rejected.
        rules, restatement: see :class:`streams.desk.output.release.ReleaseRestatement`.
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
    rules: int = 1
    restatement: Progress | None = None
    ended: dict[str, int] = {}


class _Format(msgspec.Struct, array_like=True):
    """Only the format's number; the rest may have any type."""

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
    """The header in a checkpoint. Raises CheckpointRefused if a newer release wrote it."""
    try:
        found = _format(value).format
        if found <= FORMAT:
            header = _decode(value)
            if found == 1 and header.restated:
                header.restated = "t" + header.restated  # format 1 has a ticket's id here, not a subject's name
            return header
    except msgspec.DecodeError as error:
        raise CheckpointRefused(
            f"The checkpoint of partition {partition} cannot be read ({error}): start the release that wrote it."
        ) from None
    raise CheckpointRefused(
        f"The checkpoint of partition {partition} was written by a newer release (its format is {found}, this one "
        f"knows those up to {FORMAT}): start that release, or begin with new topics and replay the log."
    )
