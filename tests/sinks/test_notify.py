"""Messages to real receivers: the outcome of each is known, or is `unknown`; addresses stay secret."""

import logging
from pathlib import Path

import pytest

from sinks.notify import Notifier, addresses
from streams.desk.policy.versions import Policies, parse
from streams.settings import SettingsError
from tests.sinks.receivers import http_receiver, nobody, smtp_receiver

POLICY = """
version = "v"
timezone = "UTC"
[receivers]
lead = { url_env = "DESKWATCH_LEAD_URL" }
duty = { url_env = "DUTY" }
chat = { url_env = "CHAT" }
absent = { url_env = "ABSENT" }
"""


def send(url: str, title: str = "超时", body: str = "Message: w/1") -> tuple[str, str]:
    return Notifier({"X_URL": url}).send("X_URL", title, body)


def test_a_webhook_gets_title_and_body() -> None:
    with http_receiver() as receiver:
        assert send(receiver.url, body="one\n<b>two</b> & 三") == ("sent", "")
        assert receiver.got == [("超时", "one\n<b>two</b> & 三")]


def test_a_mailbox_gets_title_and_body() -> None:
    with smtp_receiver() as (receiver, url):
        assert send(url) == ("sent", "")
        ((subject, body),) = receiver.got
        assert subject == "超时"
        assert body.strip() == "Message: w/1"


def test_without_a_connection_a_message_has_failed() -> None:
    assert send(nobody()) == ("failed", "no connection")
    assert send("mailto://127.0.0.1:9?smtp=127.0.0.1&mode=insecure&from=a@b.cd&to=a@b.cd") == (
        "failed",
        "no connection",
    )


@pytest.mark.parametrize(("status", "outcome"), [(500, "failed"), (404, "failed"), (502, "unknown"), (504, "unknown")])
def test_an_error_as_the_answer(status: int, outcome: str) -> None:
    with http_receiver() as receiver:
        receiver.answer = status
        assert send(receiver.url) == (outcome, f"answered with error {status}")
        assert len(receiver.got) == 1


def test_no_answer_is_unknown() -> None:
    with http_receiver() as receiver:
        receiver.answer = 0
        assert send(receiver.url + "&retry=3") == ("unknown", "no answer, or a broken connection")
        assert len(receiver.got) == 1


def test_a_mail_that_is_refused_has_failed() -> None:
    with smtp_receiver() as (receiver, url):
        receiver.refuse = "554 no"
        assert send(url) == ("failed", "answered with error 554")


def test_an_address_that_apprise_does_not_know_has_failed() -> None:
    for wrong in ("nonsense://hush", "json://one, json://two"):
        assert send(wrong) == ("failed", "X_URL is not one address that Apprise knows")


def test_no_secret_is_shown(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG), http_receiver() as receiver:
        receiver.answer = 500
        url = receiver.url.replace("json://", "json://user:hush@")
        notifier = Notifier({"X_URL": url})
        shown = [*notifier.send("X_URL", "t", "b"), repr(notifier)]
        assert send(nobody().replace("json://", "json://user:hush@"))[0] == "failed"
    assert "hush" not in "".join([*shown, caplog.text, *capfd.readouterr()])


def test_addresses_come_from_the_settings_the_environment_or_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "chat"
    secret.write_text("json://chat\n")
    found = addresses(
        Policies([parse(POLICY, "p.toml")]),
        {"DESKWATCH_LEAD_URL": "json://lead", "DESKWATCH_OTHER_URL": "json://other"},
        {"DUTY": "json://duty", "CHAT_FILE": str(secret)},
    )
    assert found == {"DESKWATCH_LEAD_URL": "json://lead", "DUTY": "json://duty", "CHAT": "json://chat"}


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(SettingsError, match="The file that CHAT_FILE names cannot be read"):
        addresses(Policies([parse(POLICY, "p.toml")]), {}, {"CHAT_FILE": "/no/such"})
