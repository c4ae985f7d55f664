"""An error that the user can fix ends a command with one sentence, and exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from sinks.clickhouse.client import in_one_line
from streams.errors import UserError


class Refused(UserError):
    """The command refuses. The message is one sentence: why, and what to do."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn a self-explanatory error into one line on stderr and exit code 1."""
    try:
        yield
    except UserError as error:
        _end(str(error))
    except ClickHouseError as error:
        _end(in_one_line(error))
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(130) from None


def _end(sentence: str) -> None:
    typer.echo(" ".join(sentence.split()), err=True)
    raise typer.Exit(1) from None
