"""The API: an action becomes an event on `actions`; a refused request gets the reason in a sentence."""

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiokafka.errors import KafkaConnectionError

from streams.api import Api, application
from streams.models.actions import SnoozeEvent, decode
from streams.settings import Settings, SettingsError

JSON = {"content-type": "application/json"}


class Broker:
    """Keeps what is appended, or is away."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.away = False

    async def append(self, key: str, value: bytes) -> None:
        if self.away:
            raise KafkaConnectionError
        self.got.append((key, value))


def ask(broker: Broker, path: str, body: str, token: str = "", **headers: str) -> tuple[int, Any]:
    async def asked() -> tuple[int, Any]:
        async with TestClient(TestServer(application(broker.append, token))) as client:
            answer = await client.post(path, data=body, headers={**JSON, **headers})
            return answer.status, await answer.json()

    return asyncio.run(asked())


def test_an_action_goes_out_and_comes_back() -> None:
    broker = Broker()
    status, event = ask(broker, "/warnings/a1b2/snooze", '{"by": "li", "for_s": 600, "note": "later"}')
    assert status == 202
    ((key, value),) = broker.got
    action = decode(value)
    assert isinstance(action, SnoozeEvent)
    assert (key, action.data.warning_id, action.data.by, action.data.note) == ("a1b2", "a1b2", "li", "later")
    assert action.until() == action.at + 600_000
    assert event["id"] == action.id


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/warnings/w/acknowledge", "{", "The body is not a JSON object."),
        ("/warnings/w/acknowledge", "[]", "The body is not a JSON object."),
        ("/warnings/w/acknowledge", "{}", "missing required field `by`"),
        ("/warnings/w/snooze", '{"by": "li"}', "either until or for_s"),
        ("/warnings/w/snooze", '{"by": "li", "for_s": 1e9}', "for_s"),
        ("/warnings/w/snooze", '{"by": "li", "until": "yesterday"}', "RFC 3339"),
    ],
)
def test_a_malformed_action_is_refused_with_a_sentence(path: str, body: str, says: str) -> None:
    broker = Broker()
    status, answer = ask(broker, path, body)
    assert (status, broker.got) == (400, [])
    assert says in answer["error"]


def test_the_token_is_required() -> None:
    broker = Broker()
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "hush"}):
        assert ask(broker, "/warnings/w/acknowledge", '{"by": "li"}', "hush", **headers)[0] == 401
    assert broker.got == []
    bearer = {"authorization": "Bearer hush"}
    assert ask(broker, "/warnings/w/acknowledge", '{"by": "li"}', "hush", **bearer)[0] == 202


def test_a_page_of_another_site_cannot_act() -> None:
    broker = Broker()
    assert ask(broker, "/warnings/w/acknowledge", '{"by": "li"}', host="evil.example")[0] == 403
    pages = {"origin": "https://evil.example"}, {"origin": "http://127.0.0.1:8000"}, {"sec-fetch-site": "same-site"}
    for headers in pages:
        for token in ("", "hush"):
            found = ask(broker, "/warnings/w/disagree", '{"by": "li"}', token, authorization="Bearer hush", **headers)
            assert found[0] == 403
    form = {"content-type": "text/plain"}
    assert ask(broker, "/warnings/w/acknowledge", '{"by": "li"}', **form)[0] == 400
    assert broker.got == []


def test_without_a_broker_the_answer_asks_to_try_again() -> None:
    broker = Broker()
    broker.away = True
    status, answer = ask(broker, "/warnings/w/disagree", '{"by": "li"}')
    assert status == 503
    assert "try again" in answer["error"]


def test_beyond_this_machine_a_token_is_required() -> None:
    with pytest.raises(SettingsError, match="set DESKWATCH_API_TOKEN"):
        Api(Settings(api_host="0.0.0.0", api_port=8780))
