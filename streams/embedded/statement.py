"""Two facts that the embedded ClickHouse needs about a statement before the engine parses it. PURE.

Whether it is an INSERT with rows after the statement, and where they begin; and its output format. Both are read from
tokens, so quoted text and comments do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
      |(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
      |(?P<word>\w+)
      |(?P<sign>.)""",
    re.S | re.X,
)
_DATA_BEGINS = re.compile(r"[ \t\f]*\r?\n?")
_HAS_ITS_ROWS = {"SELECT", "WITH", "VALUES", "FROM", "WATCH"}


class Insert(NamedTuple):
    """An INSERT with rows after it: the statement without its FORMAT, the format's name, and where the rows begin."""

    sql: str
    format: str
    data_at: int


class _Word(NamedTuple):
    text: str
    start: int
    end: int


def _top_level(sql: str) -> Iterator[_Word]:
    """The words and signs outside parentheses; a quoted name or string is the sign `'`."""
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind, text = match.lastgroup, match.group()
        if kind == "sign" and text in "([{":
            depth += 1
        elif kind == "sign" and text in ")]}":
            depth -= 1
        elif kind != "skip" and depth == 0:
            yield _Word("'" if kind == "quoted" else text.upper(), match.start(), match.end())


def insert_with_rows(head: bytes) -> Insert | None:
    """The INSERT at the start of a request, if its rows follow in a named format; else None.

    `head` is the first part of the request, long enough to hold the statement; `data_at` is an offset into it. The rows
    begin where ClickHouse begins them: after the name of the format, blanks and at most one line end.
    """
    text = head.decode("latin-1")  # one character a byte: offsets are byte offsets, the rows may be binary
    before = _Word("", 0, 0)
    words = _top_level(text)
    first = next(words, before)
    if first.text != "INSERT":
        return None
    for word in words:
        if word.text in _HAS_ITS_ROWS:
            return None
        if word.text == "FORMAT" and before.text not in {"INTO", "TABLE", "."}:
            name = next(words, None)
            if name is None or not name.text.isidentifier():
                return None
            rows = _DATA_BEGINS.match(text, name.end)
            assert rows is not None  # the pattern matches the empty text
            return Insert(head[: word.start].decode(), text[name.start : name.end], rows.end())
        before = word
    return None


def output_format(sql: str) -> str | None:
    """The output format that a statement names (`… FORMAT JSONEachRow`, settings may follow), or None."""
    words = list(_top_level(sql))
    for at in range(len(words) - 2, -1, -1):
        if words[at].text == "FORMAT" and words[at + 1].text.isidentifier():
            rest = words[at + 2 :]
            if not rest or rest[0].text in {";", "SETTINGS"}:
                return sql[words[at + 1].start : words[at + 1].end]
    return None
