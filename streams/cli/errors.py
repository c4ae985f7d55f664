"""Errors that a person can mend end a command with one sentence, and exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from sinks.clickhouse.client import in_one_line
from sinks.clickhouse.migrate import MigrationError
from sinks.clickhouse.writer import WriteError
from streams.cli.sql import Unreachable
from streams.desk.policy.file import PolicyError
from streams.embedded import NotInstalled
from streams.embedded.client import NoDatabase
from streams.embedded.directory import DirectoryInUse
from streams.embedded.stack import StackError
from streams.kafka.topics import TopicError
from streams.replay.dead_letters import LettersError
from streams.replay.feeder import ReplayError
from streams.replay.log import LogError
from streams.settings import SettingsError

SAID = (
    DirectoryInUse,
    LettersError,
    LogError,
    MigrationError,
    NoDatabase,
    NotInstalled,
    PolicyError,
    ReplayError,
    SettingsError,
    StackError,
    TopicError,
    Unreachable,
    WriteError,
)


class Refused(Exception):
    """The command will not do that: one sentence that says why and what to do."""


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error that says itself what is wrong into one line on stderr and exit code 1."""
    try:
        yield
    except (*SAID, Refused) as error:
        _end(str(error))
    except ClickHouseError as error:
        _end(in_one_line(error))
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(130) from None


def _end(sentence: str) -> None:
    typer.echo(" ".join(sentence.split()), err=True)
    raise typer.Exit(1) from None
