"""The documents are correct: their commands, views, links, module paths and words.

README, README.zh ──> commands of the CLI, views of the migrations, both ways
all documents     ──> links and paths that resolve, no word that the glossary replaced
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sinks.clickhouse.migrate import FOLDER, read
from sinks.metrics.escalate import ESCALATE
from sinks.metrics.store import STORE
from sinks.metrics.track import TRACK
from sinks.metrics.watch import WATCH
from streams.cli.main import app
from streams.models import topics
from streams.settings.options import OPTIONS, PREFIX, RENAMED

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh.md")
DOCUMENTS = sorted(
    str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")) if path.name != "CHANGELOG.md"
)
EACH_README = pytest.mark.parametrize("name", READMES)
EACH_DOCUMENT = pytest.mark.parametrize("name", DOCUMENTS)

METRICS = {metric.name for metric in (*TRACK, *WATCH, *STORE, *ESCALATE)}
MAP_BYTES = 10 * 1024
BANNED = re.compile(
    r"""\b(Everyone | everybody | asleep | awake | AWAKE | graver | gravest | heirs? | famil(y|ies) | sheets? | amended
      | Book | mend(ed|s)? | former\ life | next\ life | own\ life | strikes? | Struck | bench\ alerts | bench\ faults
      | of\ whom | REPEATED)\b""",
    re.X,
)
"""Words that the glossary has others for, or that a senior reader stumbles over."""


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# Commands


def commands() -> set[str]:
    """All commands of the CLI, groups' commands as `dead-letters list`."""

    def walk(command: Any, prefix: str) -> Iterator[str]:
        if not hasattr(command, "commands"):
            yield prefix.strip()
            return
        for name, child in command.commands.items():
            yield from walk(child, f"{prefix} {name}")

    return set(walk(typer.main.get_command(app), ""))


def listed(name: str) -> set[str]:
    """The commands in the first column of a README's table: `dead-letters list\\|show` are two."""
    found = set()
    for cell in re.findall(r"^\| `([a-z-]+[^`]*)` \|", section(name, ("## Commands", "## 命令")), re.M):
        words = re.match(r"[a-z-]+( [a-z-]+(\\\|[a-z-]+)*)?", cell)
        assert words is not None
        first, _, others = words[0].partition(" ")
        found |= {f"{first} {other}".strip() for other in others.split("\\|")}
    return found


def section(name: str, headings: tuple[str, ...]) -> str:
    found = re.search(rf"^({'|'.join(headings)})\n(.*?)(?=^## )", text_of(name), re.M | re.S)
    assert found is not None, f"{name} has no section {headings}"
    return found[2]


@EACH_README
def test_every_command_stands_in_the_table(name: str) -> None:
    assert commands() - listed(name) == set()


def test_every_command_that_prints_a_result_prints_json() -> None:
    """The READMEs say so: without `--json` are those that run on, write a log, or print only what they did."""

    def options(command: Any, prefix: str) -> Iterator[tuple[str, set[str]]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from options(child, f"{prefix} {name}".strip())
        yield prefix, {option for parameter in command.params for option in parameter.opts}

    found = dict(options(typer.main.get_command(app), ""))
    without = {name for name in commands() if "--json" not in found[name]}
    assert without == {"demo", "run", "simulate", "migrate"}


@EACH_README
def test_every_command_in_the_table_exists(name: str) -> None:
    groups = {command.partition(" ")[0] for command in commands()}
    assert {command for command in listed(name) - commands() if command not in groups} == set()


@EACH_DOCUMENT
def test_every_command_that_a_document_names_exists(name: str) -> None:
    known = commands()
    groups = {command.partition(" ")[0] for command in known if " " in command}
    for first, second in re.findall(r"\bdeskwatch ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", commands_in(name)):
        if first in groups and second:
            assert f"{first} {second}" in known
        else:
            assert first in groups or first in known


def commands_in(name: str) -> str:
    """The code of a document: fenced blocks and spans."""
    fenced = re.findall(r"```\w*\n(.*?)```", text_of(name), re.S)
    return "\n".join([*fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text_of(name), flags=re.S))])


@EACH_DOCUMENT
def test_every_make_target_that_a_document_names_exists(name: str) -> None:
    targets = {f"make {target}" for target in re.findall(r"^([a-z-]+):", text_of("Makefile"), re.M)}
    named = {f"make {target}" for target in re.findall(r"\bmake ([a-z][a-z-]*)", commands_in(name))}
    assert named - targets == set()


# Views


def views() -> set[str]:
    statements = "\n".join(statement for file in read(FOLDER) for statement in file.statements)
    return set(re.findall(r"CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?(\w+)", statements))


@EACH_README
def test_every_view_stands_in_the_list(name: str) -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", section(name, ("## Views for BI", "## 供 BI 使用的视图")), re.M)
    assert {view for row in rows for view in re.findall(r"`(\w+)`", row)} == views()


# The glossary


def test_the_glossary_names_what_exists() -> None:
    named = {topic for value in vars(topics).values() for topic in ([value] if isinstance(value, str) else ())}
    named |= set(topics.INPUTS)
    statements = "\n".join(statement for file in read(FOLDER) for statement in file.statements)
    tables = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", statements))
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("streams/**/*.py"))
    panels = text_of("dashboards/grafana/operations_now.json")
    for row in re.findall(r"^\| \*\*.*\| (.*) \|$", text_of("docs/glossary.md"), re.M):
        assert set(re.findall(r"`(\w+_rows)`", row)) <= tables, row
        for after in re.findall(r"→ ((?:`\w+`(?:, )?)+)", row):
            assert set(re.findall(r"`(\w+)`", after)) <= views(), row
        for after in re.findall(r"structs? ((?:`\w+`(?:, )?)+)", row):
            for struct in re.findall(r"`(\w+)`", after):
                assert re.search(rf"^class {struct}\b|^{struct}\s*[:=]", code, re.M), f"no struct {struct}"
        for panel in re.findall(r'panel "([^"]+)"', row):
            assert f'"title": "{panel}"' in panels, panel
        first = re.match(r"((?:`[a-z-]+`(?:, )?)+)", row)
        if first is not None and "topic" not in row and "commands" not in row:
            assert set(re.findall(r"`([a-z-]+)`", first[1])) <= named, row


# Links, paths, sizes, words


@EACH_DOCUMENT
def test_links_resolve(name: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)", text_of(name)):
        if "://" in target:
            continue
        file = ((ROOT / name).parent / target).resolve() if target else ROOT / name
        assert file.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{name} links to {target}#{anchor}"


def anchors(file: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH_DOCUMENT
def test_paths_exist(name: str) -> None:
    for path in re.findall(r"`((?:streams|sinks|dashboards|tests|docs)/[^`\s]*)`", commands_or_spans(name)):
        for one in spread(path):
            assert any(ROOT.glob(one.rstrip("/"))), f"{name} names {one}"


def test_the_paths_of_the_map_exist() -> None:
    """In "Where do I …?" they are relative to `streams/`; a bare file name is in the folder named before it."""
    rows = section("ARCHITECTURE.md", (r"## Where do I …\?",))
    named = [path for path in re.findall(r"`([^`\s]+)`", rows) if "/" in path]
    assert len(named) > 20
    for path in named:
        for one in spread(path):
            found = [*ROOT.glob(one.rstrip("/")), *(ROOT / "streams").glob(one.rstrip("/"))]
            assert found, f"ARCHITECTURE.md names {one}"


@EACH_DOCUMENT
def test_settings_and_metrics_exist(name: str) -> None:
    spans = commands_in(name)
    known = {f"{PREFIX}{name.upper()}" for name in (*OPTIONS, *RENAMED, "config")}
    for setting in re.findall(r"\bDESKWATCH_[A-Z_]+\b", spans):
        assert setting.removesuffix("_FILE") in known or setting.endswith("_URL"), setting
    assert set(re.findall(r"`(deskwatch_(?:track|watch|store|escalate)_\w+)`", text_of(name))) <= METRICS


def commands_or_spans(name: str) -> str:
    return re.sub(r"^```.*?^```", "", text_of(name), flags=re.S | re.M)


def spread(path: str) -> list[str]:
    """Expand braces in paths: `a/{b,c}/d` is a/b/d and a/c/d."""
    found = re.fullmatch(r"([^{]*)\{([^}]*)\}(.*)", path)
    return [path] if found is None else [f"{found[1]}{part}{found[3]}" for part in found[2].split(",")]


def test_the_map_is_a_map() -> None:
    assert (ROOT / "ARCHITECTURE.md").stat().st_size <= MAP_BYTES


@EACH_DOCUMENT
def test_no_banned_word(name: str) -> None:
    assert [found[0] for found in BANNED.finditer(text_of(name))] == []
