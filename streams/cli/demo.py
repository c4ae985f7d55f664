"""`deskwatch demo`."""


def demo() -> None:
    """To come."""
