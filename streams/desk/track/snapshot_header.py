"""The head of a desk's checkpoints: what a partition knows besides its subjects and panes.

`FORMAT` is the number of the encoding of all that a desk writes into its changelog. A release reads its own and all
earlier ones (new fields stand at the end and have defaults); one that it does not know it refuses.

    1   as first released
    2   with the policy that was followed (entries `v`, `w`), the latest instant, and the refused records
"""

import msgspec

from streams.errors import UserError

FORMAT = 2


class CheckpointRefused(UserError):
    """A checkpoint that this release must not go on from: one sentence."""


class Head(msgspec.Struct, array_like=True):
    """One value, written with every checkpoint."""

    seen: dict[str, int]
    advanced: dict[str, int]
    opened: int
    clock: int
    fired: str = ""
    closing: tuple[bytes, bytes | None] | None = None
    changed: str = ""
    format: int = 1
    latest: int = -1
    refused: dict[str, tuple[int, list[int]]] = {}
    restating: bool = False


class _Format(msgspec.Struct, array_like=True):
    """Only what tells the format, of whatever types the rest may be."""

    seen: msgspec.Raw
    advanced: msgspec.Raw
    opened: msgspec.Raw
    clock: msgspec.Raw
    fired: msgspec.Raw = msgspec.Raw()
    closing: msgspec.Raw = msgspec.Raw()
    changed: msgspec.Raw = msgspec.Raw()
    format: int = 1


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode
_format = msgspec.msgpack.Decoder(_Format).decode


def decode(value: bytes, partition: int) -> Head:
    """The head in a checkpoint. Raises CheckpointRefused, for one of a release that is newer than this."""
    try:
        found = _format(value).format
        if found <= FORMAT:
            head = _decode(value)
            if found == 1 and head.changed:
                head.changed = "t" + head.changed  # it held a ticket's id, and now a subject's name
            return head
    except msgspec.DecodeError as error:
        raise CheckpointRefused(
            f"The checkpoint of partition {partition} cannot be read ({error}): start the release that wrote it."
        ) from None
    raise CheckpointRefused(
        f"The checkpoint of partition {partition} was written by a newer release (its format is {found}, this one "
        f"knows those up to {FORMAT}): start that release, or begin with new topics and replay the log."
    )
