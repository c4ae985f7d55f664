"""`deskwatch sql` over a directory whose stack runs or not, and over a configured ClickHouse."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from sinks.clickhouse.client import connect
from streams.cli.sql import sql, table_of
from streams.embedded.directory import Directory
from streams.embedded.process import free_port

app = typer.Typer()
app.command()(sql)


def ask(*arguments: str, **environment: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), env=environment)
    return result.exit_code, result.stdout, result.stderr


def test_an_unreachable_server_is_one_sentence_with_what_to_do() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert ask("SELECT 1", DESKWATCH_CLICKHOUSE=url) == (
        1,
        "",
        f"No ClickHouse answers at {url}: start it, set DESKWATCH_CLICKHOUSE, or name the embedded one's directory "
        "with --data DIR.\n",
    )


def test_a_directory_without_a_database_is_one_sentence(tmp_path: Path) -> None:
    status, _, error = ask("SELECT 1", "--data", str(tmp_path))
    assert status == 1
    assert error.startswith(f"There is no embedded database in {tmp_path}: ")
    assert not (tmp_path / "run").exists()


def test_a_table_is_as_wide_as_it_must_be() -> None:
    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table_of([["team", "open"], ["String", "Nullable(UInt64)"], ["billing", 12], ["desk", None]]))
    lines = [line.strip("│┃ ") for line in console.export_text().splitlines()]
    assert [lines[1], lines[3], lines[4]] == ["team    ┃ open", "billing │   12", "desk"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a database and no stack."""
    from streams.embedded.clickhouse import Server

    data = tmp_path_factory.mktemp("data")
    server = Server(Directory(data).clickhouse).start()
    client = connect(server.url, password=server.password)
    client.command("CREATE DATABASE deskwatch")
    client.command(
        "CREATE TABLE deskwatch.t (team String, n UInt64, rate Decimal(9, 3), at DateTime64(3, 'Asia/Shanghai')) "
        "ENGINE = MergeTree ORDER BY n"
    )
    client.command("INSERT INTO deskwatch.t VALUES ('a\tb', 18446744073709551615, 0.125, '2026-11-22 08:00:00.500')")
    client.close()
    server.stop()
    return data


@pytest.mark.embedded
def test_json_has_numbers_and_instants_in_utc(data: Path) -> None:
    status, out, _ = ask("SELECT *, toDateTime('2026-01-01 00:00:00') AS d FROM t;", "--json", "--data", str(data))
    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"team": "a\tb", "n": 2**64 - 1, "rate": 0.125, "at": "2026-11-22T00:00:00.500Z", "d": "2026-01-01T00:00:00Z"}
    ]
    assert Directory(data).addresses() is None
    assert not list(Directory(data).run.glob("*.pid"))


@pytest.mark.embedded
def test_a_pipe_gets_tab_separated_lines(data: Path) -> None:
    assert ask("SELECT team, rate FROM t", "--data", str(data)) == (0, "team\trate\na\\tb\t0.125\n", "")
    assert ask("WITH 1 AS x SELECT x FORMAT CSV", "--data", str(data)) == (0, "1\n", "")
    assert ask("CREATE TABLE IF NOT EXISTS u (a Int8) ENGINE = Memory", "--data", str(data)) == (0, "", "")


@pytest.mark.embedded
def test_an_error_of_the_engine_is_one_line(data: Path) -> None:
    status, out, error = ask("SELECT nope FROM t", "--data", str(data))
    assert (status, out) == (1, "")
    assert error.startswith("Code: 47. DB::Exception: Unknown expression identifier `nope`")
    assert error.count("\n") == 1


@pytest.mark.embedded
def test_concurrent_queries_and_a_running_stack_are_answered(data: Path) -> None:
    """Three at once over a directory at rest wait for each other; with a stack they ask its ClickHouse."""
    from streams.embedded.stack import Stack

    script = "import typer; from streams.cli.sql import sql; typer.run(sql)"
    command = [sys.executable, "-c", script, "SELECT count() AS n FROM t", "--json", "--data", str(data)]

    def three() -> list[tuple[str, str]]:
        asked = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        return [process.communicate(timeout=60) for process in asked]

    assert three() == [('{"n":1}\n', "")] * 3
    with Stack(data):
        assert three() == [('{"n":1}\n', "")] * 3


def test_what_serve_and_a_statement_need(tmp_path: Path) -> None:
    for arguments in ((), ("--serve",), ("SELECT 1", "--serve", "--data", str(tmp_path))):
        assert ask(*arguments)[0] == 2


@pytest.mark.embedded
def test_a_directory_at_rest_is_served_to_bi_tools_and_other_commands(data: Path) -> None:
    script = "import typer; from streams.cli.sql import sql; typer.run(sql)"
    served = subprocess.Popen(
        [sys.executable, "-c", script, "--serve", "--data", str(data)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert served.stdout is not None
        told = dict(served.stdout.readline().split() for _ in range(4))
        assert told["password"] == Directory(data).password()
        with connect(told["url"], user=told["user"], password=told["password"], database=told["database"]) as client:
            assert client.command("SELECT count() FROM t") == 1
        assert ask("SELECT count() AS n FROM t", "--json", "--data", str(data)) == (0, '{"n":1}\n', "")
    finally:
        served.terminate()
        assert served.wait(20) == 0
    assert Directory(data).addresses() is None
