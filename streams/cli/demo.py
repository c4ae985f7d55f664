"""`deskwatch demo`: the whole system on this machine, without installation, and live figures of a simulated desk."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Annotated, NamedTuple

import psutil
import typer
from clickhouse_connect.driver.exceptions import Error as ClickHouseError
from rich.console import Console
from rich.live import Live

from sinks.clickhouse.client import Client
from streams.cli.errors import Refused, one_sentence
from streams.cli.options import Data, Policy, settings_of
from streams.demo.board import board, line
from streams.demo.desk import HISTORY_MS, SimulatedDesk, world_at
from streams.demo.figures import Figures, Pace, ask
from streams.desk.policy.versions import Policies
from streams.desk.texts import LANGUAGES, Language, text
from streams.embedded.directory import USER
from streams.embedded.roles import prepare, start_roles
from streams.embedded.stack import Stack
from streams.errors import DeskwatchError
from streams.policies import policies_of
from streams.settings import Settings
from streams.simulator import World
from streams.simulator.kernel import HOUR

MAX_BROKER_SHARE = 1 / 3
"""Share of this machine's memory that the broker may fill: it keeps everything in memory."""
WARN_AT = 0.8
MIN_FREE_BYTES = 256 << 20
"""The demo also ends when less memory than this is free."""
REFRESH_S, LINE_S = 1.0, 3.0
FIGURES_WITHIN_S = 120.0
"""Time limit for the first figures, seconds."""
MARK = "demo"
"""A file of this name marks the data directory of a demo, which the next demo may drop."""


def demo(
    data: Data = None,
    policy: Policy = None,
    seconds: Annotated[float | None, typer.Option(help="Seconds from the first figures to the end.", min=0.0)] = None,
    agents: Annotated[
        int, typer.Option(help="Agents on the simulated desk; ten produce about 2,000 events a day.", min=4)
    ] = 1000,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a board; the default in a pipe.")] = False,
    lang: Annotated[
        str, typer.Option(envvar="DESKWATCH_LANGUAGE", metavar="en|zh", help="Language of the labels.")
    ] = "en",
) -> None:
    """Show a running desk: start everything on this machine, simulate a desk, and print its live figures."""
    with one_sentence():
        language = _language(lang)
        settings = settings_of(data, policy)
        policies = policies_of(settings)
        directory = settings.data if data is not None else settings.data / "demo"
        console = Console(soft_wrap=True)
        with suppress(KeyboardInterrupt), Stack(directory) as stack:
            settings, client = _begin(stack, settings, partial(_say, console, language))
            world = world_at(time.time_ns() // 1_000_000, agents)
            start_roles(stack, settings, "wall")
            _introduce(stack, world, console, language)
            desk = SimulatedDesk(stack.broker, settings.partitions, world)
            desk.start()
            watch = Watch(stack, client, policies, desk, console, language)
            try:
                if plain or not console.is_terminal:
                    _lines(watch, seconds)
                else:
                    _board(watch, seconds)
            except KeyboardInterrupt:
                pass
            finally:
                desk.stop()
            _say(console, language, "ended", events=f"{desk.fed:,}", data=directory)


def _language(lang: str) -> Language:
    for language in LANGUAGES:
        if lang == language:
            return language
    raise typer.BadParameter(f"{lang!r} is no language of Deskwatch: {', '.join(LANGUAGES)}", param_hint="--lang")


def _say(console: Console, language: Language, key: str, **values: object) -> None:
    console.print(text(key, language, **values), highlight=False)


def _begin(stack: Stack, settings: Settings, say: Callable[..., None]) -> tuple[Settings, Client]:
    """Create topics and an empty database. The database of an earlier demo is dropped; any other one is refused."""
    mark = stack.directory.data / MARK
    with stack.connect() as client:
        known = client.query("SHOW DATABASES").result_columns
        if known and settings.database in known[0]:
            if not mark.exists():
                raise Refused(f"{stack.directory.data} holds data that are not a demo's: name another --data DIR.")
            say("dropped", data=stack.directory.data)
            client.command(f"DROP DATABASE {settings.database} SYNC")
    mark.touch()
    return prepare(stack, settings)


def _introduce(stack: Stack, world: World, console: Console, language: Language) -> None:
    """Print the addresses."""
    local = datetime.now(world.zone).strftime("%H:%M")
    hours = HISTORY_MS // HOUR
    _say(console, language, "desk", agents=world.agents, time=local, zone=world.zone, hours=hours)
    data = stack.directory.data
    where = {
        "data": data,
        "clickhouse": f"{stack.clickhouse}   deskwatch sql 'SELECT * FROM due_next LIMIT 8' --data {data}",
        "login": text("login_is", language, user=USER, password=_password(stack, console)),
        "metrics": "  ".join(url for name, url in stack.addresses.items() if name.startswith("metrics-")),
    }
    for key, place in where.items():
        console.print(f"{text(key, language)}: {place}", highlight=False)
    _say(console, language, "to_end")


def _password(stack: Stack, console: Console) -> str:
    """The password for a person at the terminal; what is written to a file names its file."""
    return stack.directory.password() if console.is_terminal else str(stack.directory.password_file)


class Look(NamedTuple):
    """A look at the desk: its figures once the history is stored, the events a second, and notes."""

    figures: Figures | None
    per_s: float
    notes: list[str]


class MemoryOver(DeskwatchError):
    """The memory is used up. The message is one sentence, in the language of the user."""


class Watch:
    """Reads the figures of the desk, and the memory of the stack."""

    def __init__(
        self,
        stack: Stack,
        client: Client,
        policies: Policies,
        desk: SimulatedDesk,
        console: Console,
        language: Language,
    ) -> None:
        self.stack, self.client, self.policies, self.desk = stack, client, policies, desk
        self.console, self.language = console, language
        self.pace, self.complete = Pace(), False

    def look(self) -> Look:
        """Query the figures. Raises StackError if the broker died, Refused if the desk did, MemoryOver."""
        self.stack.check()
        if self.desk.failure is not None:
            raise Refused(f"The simulated desk ended: {type(self.desk.failure).__name__} {self.desk.failure}")
        notes = self._memory()
        try:
            figures = ask(self.client, self.policies.at(time.time_ns() // 1_000_000).calls)
        except (ClickHouseError, OSError):
            return Look(None, 0.0, [*notes, text("clickhouse_away", self.language)])
        history = self.desk.history
        if not self.complete and (history is None or figures.events < history):
            # The clock is ahead of the events: half a history would show false breaches.
            return Look(None, 0.0, [*notes, text("history", self.language, events=f"{figures.events:,}")])
        self.complete = True
        return Look(figures, self.pace.per_s(time.monotonic(), figures.events), notes)

    def _memory(self) -> list[str]:
        memory, held = psutil.virtual_memory(), self.stack.memory_bytes("broker")
        limit = memory.total * MAX_BROKER_SHARE
        standing = memory_standing(held, limit, memory.available)
        if standing == "over":
            raise MemoryOver(text("memory_over", self.language, broker=held >> 20))
        if standing == "short":
            return [text("memory_short", self.language, broker=held >> 20, limit=int(limit) >> 20)]
        return []


def memory_standing(held: int, limit: float, available: int) -> str:
    """`over`: the demo has to end; `short`: it will end soon; `enough`. Bytes: held by the broker, its limit, free."""
    if held > limit or available < MIN_FREE_BYTES:
        return "over"
    return "short" if held > WARN_AT * limit or available < 2 * MIN_FREE_BYTES else "enough"


def _lines(watch: Watch, seconds: float | None) -> None:
    """Print a line every few seconds."""
    end = End(seconds)
    while not end.come():
        look = _look(watch)
        if look is None:
            return
        if look.figures is not None:
            end.begin()
            watch.console.print(line(look.figures, look.per_s, watch.language), highlight=False)
        for note in look.notes:
            watch.console.print(note, highlight=False)
        sys.stdout.flush()
        time.sleep(min(LINE_S if end.begun else REFRESH_S, end.left_s()))


def _board(watch: Watch, seconds: float | None) -> None:
    """Show the board, refreshed every second."""
    end = End(seconds)
    with Live(console=watch.console, auto_refresh=False) as live:
        while not end.come():
            began = time.monotonic()
            look = _look(watch)
            if look is None:
                return
            if look.figures is None:
                live.update("\n".join(look.notes), refresh=True)
            else:
                end.begin()
                live.update(board(look.figures, look.per_s, look.notes, watch.language), refresh=True)
            time.sleep(max(0.0, min(began + REFRESH_S - time.monotonic(), end.left_s())))


def _look(watch: Watch) -> Look | None:
    """Take a look; None, after a message, if the memory is used up."""
    try:
        return watch.look()
    except MemoryOver as over:
        watch.console.print(str(over), highlight=False)
        return None


class End:
    """The end of the demo: `seconds` after the first figures; None: never."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds, self.until, self.begun = seconds, time.monotonic() + FIGURES_WITHIN_S, False

    def begin(self) -> None:
        """Note that the first figures are there."""
        if not self.begun:
            self.begun = True
            self.until = float("inf") if self.seconds is None else time.monotonic() + self.seconds

    def left_s(self) -> float:
        """Seconds until the end."""
        return max(0.0, self.until - time.monotonic())

    def come(self) -> bool:
        """Whether the end has come. Raises Refused if there never were figures."""
        if time.monotonic() < self.until:
            return False
        if not self.begun:
            raise Refused(
                f"No figures within {FIGURES_WITHIN_S:.0f} s: see the logs of the workers in the data directory."
            )
        return True
