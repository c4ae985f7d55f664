"""`deskwatch migrate`: brings ClickHouse to this version's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from clickhouse_connect.driver.exceptions import Error

from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.client import in_one_line
from streams.cli.sql import Unreachable, open_client
from streams.embedded import NotInstalled
from streams.embedded.client import NoDatabase
from streams.embedded.directory import DirectoryInUse
from streams.settings import SettingsError, load


def migrate(
    data: Annotated[Path | None, typer.Option(help="The embedded ClickHouse of this directory.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be applied.")] = False,
) -> None:
    """Bring ClickHouse to this version's schema: create the database, apply the numbered migrations."""
    try:
        settings = load()
        with open_client(settings, data, database="default") as client:
            work = migrations.pending if dry_run else migrations.migrate
            for file in work(client, settings.database):
                typer.echo(f"{'would apply' if dry_run else 'applied'} {file.file}")
    except (SettingsError, NoDatabase, NotInstalled, DirectoryInUse, Unreachable, migrations.MigrationError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except Error as error:
        typer.echo(in_one_line(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"The database {settings.database} is {'looked at' if dry_run else 'up to date'}.")
