"""`deskwatch bench`."""


def bench() -> None:
    """To come."""
