"""What the embedded ClickHouse needs to know about a statement before the engine runs it. PURE.

Where the rows of an INSERT begin, and the output format that a statement names, are read from its tokens. Whether it is
served at all is judged from its *plain form*: the engine's own formatter writes it, so that it has no comments, one way
of quoting, one statement. What was judged is what runs, so no trick of spelling helps. Every pattern takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|\#[ !][^\n]*|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z))
      |(?P<quoted>'(?:[^'\\]|\\.|'')*+(?:'|\Z)|"(?:[^"\\]|\\.|"")*+(?:"|\Z)|`(?:[^`\\]|\\.|``)*+(?:`|\Z))
      |(?P<word>\w+)
      |(?P<sign>.)""",
    re.S | re.X,
)
_DATA_BEGINS = re.compile(r"[ \t\f]*\r?\n?")
_HAS_NO_ROWS = {"SELECT", "WITH", "FROM", "WATCH"}

_STATEMENTS = {
    "SELECT", "WITH", "(", "INSERT", "CREATE", "ALTER", "DROP", "TRUNCATE", "OPTIMIZE", "RENAME", "EXCHANGE", "UNDROP",
    "DELETE", "UPDATE", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN", "CHECK", "USE", "SET", "KILL",
}  # fmt: skip
_READING = {"SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN"}
# The first two are done by chDB's client, which asks nobody; the third takes a directory; the last hides a statement.
_REFUSED_WORDS = {"OUTFILE", "INFILE", "ATTACH", "PARALLEL"}
_ENGINES = {
    "MERGETREE", "REPLACINGMERGETREE", "SUMMINGMERGETREE", "AGGREGATINGMERGETREE", "COLLAPSINGMERGETREE",
    "VERSIONEDCOLLAPSINGMERGETREE", "MEMORY", "LOG", "TINYLOG", "STRIPELOG", "NULL", "SET", "JOIN", "MERGE", "VIEW",
    "MATERIALIZEDVIEW", "ATOMIC",
}  # fmt: skip
_FOREIGN_SIGNS = {"#", "$", "'", '"', "`", "\\"}
REFUSED_FUNCTIONS = frozenset({
    # Table functions that read files, other servers or programs: the engine refuses most of them, too.
    "arrowstream", "azureblobstorage", "azureblobstoragecluster", "bigquery", "cosn", "deltalake", "deltalakeazure",
    "deltalakeazurecluster", "deltalakecluster", "deltalakelocal", "deltalakes3", "deltalakes3cluster", "dictionary",
    "executable", "file", "filecluster", "filesystem", "gcs", "hdfs", "hdfscluster", "hudi", "hudicluster", "iceberg",
    "icebergazure", "icebergazurecluster", "icebergcluster", "iceberghdfs", "iceberghdfscluster", "iceberglocal",
    "iceberglocalcluster", "icebergs3", "icebergs3cluster", "jdbc", "mongodb", "mysql", "odbc", "oss", "paimon",
    "paimonazure", "paimonazurecluster", "paimoncluster", "paimonhdfs", "paimonhdfscluster", "paimonlocal", "paimons3",
    "paimons3cluster", "postgresql", "prometheusquery", "prometheusqueryrange", "python", "redis", "remote",
    "remotesecure", "s3", "s3cluster", "sqlite", "timeseriesdata", "timeseriesmetricfamilies", "timeseriesmetrics",
    "timeseriessamples", "timeseriesselector", "timeseriestags", "url", "urlcluster", "ytsaurus",
    # Table functions that take SQL in a text, as a query or as the DEFAULT of a column.
    "eval", "fuzzjson", "fuzzquery", "generaterandom", "input", "null", "sqlstandardvalues", "values",
    # Others that reach out of the database.
    "aiclassify", "aiembed", "aiextract", "aifilter", "aigenerate", "airedact", "aisimilarity", "aitranslate",
    "catboostevaluate", "disk", "getclienthttpheader", "reversednsquery", "showcertificate",
})  # fmt: skip
"""Functions, in lower case, that no statement may call. `format` may be called with a pattern only."""


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
    """The INSERT at the start of a request, if its rows follow in a named format or as VALUES; else None.

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
        if word.text in _HAS_NO_ROWS:
            return None
        if before.text not in {"INTO", "TABLE", "."}:
            if word.text == "VALUES":
                return Insert(head[: word.start].decode(errors="replace"), "Values", word.end)
            if word.text == "FORMAT":
                name = next(words, None)
                if name is None or not name.text.isidentifier():
                    return None
                rows = _DATA_BEGINS.match(text, name.end)
                assert rows is not None  # the pattern matches the empty text
                return Insert(head[: word.start].decode(errors="replace"), text[name.start : name.end], rows.end())
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


def reads_only(plain: str) -> bool:
    """Whether the plain form of a statement is of a kind that changes nothing."""
    return plain.startswith("(") or plain.partition(" ")[0] in _READING


def refusal(plain: str) -> str | None:
    """What in the plain form of a statement is not served; None if it is served."""
    tokens = [(match.lastgroup, match.group()) for match in _TOKEN.finditer(plain) if not match.group().isspace()]
    tokens += [("end", "")] * 2
    words = [_word(kind, text) for kind, text in tokens]
    if words[0] not in _STATEMENTS:
        return tokens[0][1]
    for at, (kind, text) in enumerate(tokens[:-2]):
        word, after, second = words[at : at + 3]
        if kind == "skip" or not (kind == "quoted" or (text.isascii() and text not in _FOREIGN_SIGNS)):
            return text  # not as the formatter writes
        if kind == "word" and word in _REFUSED_WORDS and not (word == "ATTACH" and words[0] == "ALTER"):
            return word
        if word == "ENGINE" and after == "=" and words[0] == "CREATE" and second and second not in _ENGINES:
            return f"ENGINE = {second}"
        called = word if after == "(" else ""
        if word == "APPLY":  # to columns: `* APPLY(f)`
            called = second if after == "(" else after
        if called.lower() in REFUSED_FUNCTIONS or (called == "FORMAT" and not _is_pattern(*tokens[at + 2])):
            return f"{called.lower()}()"
    return None


def _word(kind: str | None, text: str) -> str:
    """A word or a sign, in upper case; a quoted name without its quotes; '' for a quoted string."""
    if kind == "quoted":
        return text[1:-1].upper() if text[0] == "`" else ""
    return text.upper()


def _is_pattern(kind: str | None, text: str) -> bool:
    """Whether this is the pattern of the scalar function `format`: the table function takes the name of a format."""
    return kind == "quoted" and text.startswith("'") and "{" in text
