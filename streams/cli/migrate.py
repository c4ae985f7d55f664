"""`deskwatch migrate`: brings ClickHouse to this version's schema."""

from pathlib import Path
from typing import Annotated

import typer

from sinks.clickhouse import migrate as migrations
from streams.cli.errors import one_sentence
from streams.cli.sql import open_client
from streams.settings import load


def migrate(
    data: Annotated[Path | None, typer.Option(help="The embedded ClickHouse of this directory.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be applied.")] = False,
) -> None:
    """Bring ClickHouse to this version's schema: create the database, apply the numbered migrations."""
    with one_sentence():
        settings = load()
        with open_client(settings, data, database="default") as client:
            work = migrations.pending if dry_run else migrations.migrate
            for file in work(client, settings.database):
                typer.echo(f"{'would apply' if dry_run else 'applied'} {file.file}")
    typer.echo(f"The database {settings.database} is {'looked at' if dry_run else 'up to date'}.")
