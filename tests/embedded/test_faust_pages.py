"""Faust's own pages (`faust -A streams.app worker`), prepared and served as a worker does it: who is answered."""

import asyncio

import pytest
from aiohttp import ClientSession

from streams.embedded.process import free_port
from streams.kafka.app import BatchApp

PAGE = {"Origin": "null"}
OTHER_NAME = {"Host": "desk-7.internal"}


def prepared(bind: str | None) -> BatchApp:
    """An app just before its pages are served; `bind`: `--web-bind`, which the worker sets once the app is loaded."""
    app = BatchApp("pages", broker="kafka://127.0.0.1:1", web_port=free_port())
    app.finalize()
    app.worker_init_post_autodiscover()  # Faust 0.15.3: app/base.py:740
    if bind is not None:
        app.conf.web_bind = bind  # cli/worker.py:98
    app.web.init_server()  # web/drivers/aiohttp.py:123
    return app


async def answer(bind: str | None, headers: dict[str, str]) -> int:
    """The status of the first page."""
    app = prepared(bind)
    await app.web.start_server()
    try:
        address = f"http://127.0.0.1:{app.conf.web_port}/"
        async with ClientSession() as session, session.get(address, headers=headers) as found:
            return found.status
    finally:
        await app.web.stop_server()


@pytest.mark.parametrize(
    ("bind", "headers", "status"),
    [
        (None, {}, 200),
        (None, PAGE, 403),
        (None, OTHER_NAME, 403),
        ("0.0.0.0", {}, 200),
        ("0.0.0.0", PAGE, 403),
        ("0.0.0.0", OTHER_NAME, 200),
    ],
)
def test_other_machines_are_answered_if_the_pages_are_not_on_loopback_only(
    bind: str | None, headers: dict[str, str], status: int
) -> None:
    assert asyncio.run(answer(bind, headers)) == status


def test_a_request_is_judged_once() -> None:
    async def gates() -> int:
        return len(prepared(None).web.web_app.middlewares)

    assert asyncio.run(gates()) == 1
