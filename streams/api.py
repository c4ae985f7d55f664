"""The HTTP API of role escalate: puts people's actions on warnings on the topic `actions`; it decides nothing.

    curl -X POST http://127.0.0.1:8780/warnings/ID/acknowledge -H 'content-type: application/json' -d '{"by": "li.wei"}'

| POST                         | JSON beside `by` and, optional, `note`                        |
|------------------------------|---------------------------------------------------------------|
| /warnings/ID/acknowledge     |                                                               |
| /warnings/ID/snooze          | `for_s` (seconds) or `until` (RFC 3339)                       |
| /warnings/ID/disagree        |                                                               |

Answers 202 with the event once the broker has it, or 400, 401, 403 or 503 with a sentence. GET /health answers 200.
It listens on this machine only, unless there is a token (`Authorization: Bearer …`). It answers no web page.
"""

import asyncio
import hmac
import time
import uuid
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from mode import Service

from streams import loopback
from streams.models.actions import decode
from streams.models.codec import Rejected
from streams.models.instants import format_instant
from streams.models.topics import ACTIONS
from streams.settings import Settings, SettingsError

SOURCE = "/deskwatch/api"
MAX_BODY_BYTES = 16 << 10
SEND_TIMEOUT_S = 10.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Append = Callable[[str, bytes], Awaitable[None]]
"""Puts an event on the topic `actions` under a key; returns once it is acknowledged. Raises aiokafka's KafkaError."""


def application(append: Append, token: str) -> web.Application:
    """Return the web application. Without a token it accepts only requests whose host is this machine."""

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        why = loopback.refusal_of(request.headers, any_host=bool(token))
        return await handler(request) if why is None else _error(403, why)

    async def act(request: web.Request) -> web.Response:
        if (refusal := _refusal(request, token)) is not None:
            return refusal
        try:
            given = msgspec.json.decode(await request.read(), type=dict)
        except ValueError:
            return _error(400, "The body is not a JSON object.")
        warning_id = request.match_info["warning_id"]
        event = {
            "specversion": "1.0",
            "id": uuid.uuid4().hex,
            "source": SOURCE,
            "type": f"warning.{request.match_info['what']}",
            "time": format_instant(time.time_ns() // 1_000_000),
            "subject": warning_id,
            "datacontenttype": "application/json",
            "data": {**given, "warning_id": warning_id},
        }
        value = msgspec.json.encode(event)
        action = decode(value)
        if isinstance(action, Rejected):
            return _error(400, f"{action.reason[0].upper()}{action.reason[1:]}.")
        try:
            await asyncio.wait_for(append(warning_id, value), SEND_TIMEOUT_S)
        except (KafkaError, TimeoutError) as error:
            return _error(503, f"The broker does not take it ({type(error).__name__}): try again.")
        return web.Response(status=202, body=value, content_type="application/json")

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[gate])
    app.router.add_post(r"/warnings/{warning_id:[\w.-]{1,200}}/{what:acknowledge|snooze|disagree}", act)
    app.router.add_get("/health", health)
    return app


def _refusal(request: web.Request, token: str) -> web.Response | None:
    if token:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return _error(401, "The token is missing or wrong: Authorization: Bearer ….")
    if request.content_type != "application/json":  # a form on a page of another site cannot send it
        return _error(400, "The content type is not application/json.")
    return None


def _error(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)


class Api(Service):  # type: ignore[misc]
    """Serves the API while the worker runs. Raises SettingsError for a non-local address without a token."""

    def __init__(self, settings: Settings) -> None:
        if settings.api_host not in loopback.NAMES and not settings.api_token:
            raise SettingsError(
                f"DESKWATCH_API_HOST = {settings.api_host!r} reaches beyond this machine: set DESKWATCH_API_TOKEN "
                "(or …_FILE), or keep 127.0.0.1."
            )
        super().__init__()
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._runner: web.AppRunner | None = None

    async def on_start(self) -> None:
        """Connect to the broker and listen."""
        settings = self._settings
        producer = self._producer = AIOKafkaProducer(bootstrap_servers=settings.broker, acks="all")
        await producer.start()

        async def append(key: str, value: bytes) -> None:
            await producer.send_and_wait(ACTIONS, value, key=key.encode())

        self._runner = web.AppRunner(application(append, settings.api_token), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, settings.api_host, settings.api_port).start()

    async def on_stop(self) -> None:
        """Stop listening and disconnect."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._producer is not None:
            await self._producer.stop()
