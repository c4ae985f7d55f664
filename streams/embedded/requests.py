"""What the embedded ClickHouse reads from a request and writes into an answer's head. PURE."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import IO, NamedTuple

from streams.embedded.bodies import BodyError, decompressed, form_fields
from streams.embedded.database import Answer, Query, QueryError, refused
from streams.embedded.directory import USER

# Parameters of the HTTP interface that are no settings (ClickHouse's HTTPHandler.cpp, `reserved_param_names`).
_NOT_SETTINGS = {
    "query", "database", "session_id", "session_timeout", "session_check", "query_id", "compress",
    "decompress", "default_format", "client_protocol_version", "wait_end_of_query", "enable_http_compression",
    "quota_key", "role", "buffer_size", "stacktrace", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
# ClickHouse's exceptionCodeToHTTPStatus; every other code is a 500. Of 202 and 373, so that clients try again.
_STATUS = {
    **dict.fromkeys((6, 25, 26, 27, 33, 38, 41, 42, 43, 53, 62, 69, 70, 72, 117, 130, 131), 400),
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 81, 115), 404),
    **dict.fromkeys((192, 193, 497, 516), 403),
    **{159: 408, 48: 501, 202: 503, 373: 503},
}  # fmt: skip
_QUERY_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)

PLAIN = {
    "Content-Type": "text/plain; charset=UTF-8",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer: it is a text, and for no page."""


class Request(NamedTuple):
    """A request as received; `id` names its statement."""

    method: str
    parameters: dict[str, str]
    headers: Mapping[str, str]
    body: IO[bytes]
    id: str = ""


def status_of(error: QueryError) -> int:
    """The HTTP status of an error."""
    return _STATUS.get(error.code, 500)


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """User and password of a request. Raises QueryError 516 if they are in the address, where they show in logs."""
    if "password" in parameters or "user" in parameters:
        raise refused(
            516,
            "User and password belong in the headers (Authorization, or X-ClickHouse-User and X-ClickHouse-Key), "
            "not in the address",
            "AUTHENTICATION_FAILED",
        )
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password
    return headers.get("X-ClickHouse-User", USER), headers.get("X-ClickHouse-Key", "")


def query_of(request: Request) -> Query:
    """The statement of a request: the parameter `query`, then the body, as ClickHouse joins them.

    Raises QueryError, BodyError.
    """
    if request.method == "GET" and not request.parameters.get("query"):
        raise refused(62, "A GET request needs the parameter query", "SYNTAX_ERROR")
    parameters = dict(request.parameters)
    if parameters.get("decompress") == "1":
        raise BodyError("decompress=1 (ClickHouse's own framing) is not served here; use Content-Encoding.")
    content_type = request.headers.get("Content-Type", "")
    if content_type.startswith("multipart/form-data"):
        parameters |= form_fields(request.body, content_type)  # this reads the body to its end
    rows = decompressed(request.body, request.headers.get("Content-Encoding", "").strip().lower())
    text = parameters.get("query", "")
    first = (text.encode() + b"\n",) if text else ()
    names = [name for name in parameters if name not in _NOT_SETTINGS]
    try:
        session_s = min(float(parameters.get("session_timeout", 60)), 3600.0)
    except ValueError:
        raise BodyError("session_timeout is not a number of seconds.") from None
    return Query(
        pieces=(piece for source in (first, rows) for piece in source),
        database=parameters.get("database", ""),
        default_format=parameters.get("default_format") or request.headers.get("X-ClickHouse-Format") or "TabSeparated",
        settings={name: parameters[name] for name in names if not name.startswith("param_")},
        parameters={name[6:]: parameters[name] for name in names if name.startswith("param_")},
        session=parameters.get("session_id", ""),
        session_s=session_s,
        read_only=request.method == "GET",
        id=request.id,
    )


def head_of(answer: Answer, query_id: str) -> dict[str, str]:
    """The headers of an answer. A query id that is more than a name is replaced: a header has no line breaks."""
    summary = {
        "read_rows": str(answer.read_rows),
        "written_rows": str(answer.written_rows),
        "result_rows": str(answer.read_rows),
        "elapsed_ns": str(answer.elapsed_ns),
    }
    head = {
        "X-ClickHouse-Query-Id": query_id if _QUERY_ID.fullmatch(query_id) else str(uuid.uuid4()),
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Summary": json.dumps(summary),
        **PLAIN,
    }
    if answer.format:
        head["X-ClickHouse-Format"] = answer.format
    return head


def head_of_error(code: int) -> dict[str, str]:
    """The headers of an error."""
    return {"X-ClickHouse-Exception-Code": str(code), **PLAIN}
