"""Sends a message to a receiver, by Apprise: WeCom, DingTalk, Feishu, Slack, e-mail, webhooks and a hundred others.

The outcome matters, since a message that may have arrived is not sent again:

    sent      the receiver accepted it
    failed    it did not arrive: refused, no connection, or an error response
    unknown   everything else: a timeout, a broken connection

Addresses are secrets: they come from the environment or from files. Neither they nor Apprise's log, which repeats them,
are logged or recorded.
"""

import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import apprise

from streams.desk.escalation.sending import Outcome, Result
from streams.desk.policy.versions import Policies
from streams.settings import SettingsError

_apprise_log = logging.getLogger("apprise")
_apprise_log.propagate = False
_apprise_log.setLevel(logging.DEBUG)
_apprise_log.addHandler(logging.NullHandler())

# Apprise (2.3) returns success or failure, not the reason. The reason is only in its log, with the same wording in
# every plugin (such as plugins/custom_json.py:349, plugins/email/base.py:714): "… error=500", or "Socket Exception: …"
# with the text of the error.
_ANSWERED = re.compile(r"\berror=(\d{3})\b")
_SMTP_ANSWERED = re.compile(r"\((\d{3}), b")
_GATEWAY_ERRORS = (502, 504)  # the server behind the gateway may have accepted the message
_NOT_CONNECTED = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|SSLError|ProxyError|Connection refused"
    r"|No route to host|Network is unreachable|Name or service not known|nodename nor servname"
)


class Notifier:
    """Sends messages; receivers are named by the variable with their address. The methods may run in threads."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)
        self._asset = apprise.AppriseAsset(app_id="Deskwatch", app_desc="Deskwatch", async_mode=False)

    def __repr__(self) -> str:
        return f"Notifier({sorted(self._addresses)})"

    @property
    def known(self) -> frozenset[str]:
        """The variables with an address."""
        return frozenset(self._addresses)

    def send(self, url_env: str, title: str, body: str) -> Outcome:
        """Send one message and return the outcome; blocks until the receiver answers (seconds)."""
        target = apprise.Apprise(asset=self._asset)
        try:
            with _captured_log() as lines:
                added = target.add(self._addresses[url_env])
                if not added or len(target) != 1:
                    return Outcome(Result.FAILED, f"{url_env} is not one address that Apprise knows")
                (server,) = target
                server.retry = 0  # the chain decides whether to send again
                # Not target.notify: it sends in another thread (apprise.py), whose log is not captured.
                sent = server.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # an error in a plugin must not end the worker
            return Outcome(Result.UNKNOWN, f"{type(error).__name__} while sending")
        return Outcome(Result.SENT) if sent else _outcome_of(lines)


def _outcome_of(lines: Iterable[str]) -> Outcome:
    """The outcome of a message that Apprise could not send, from its log."""
    for line in lines:
        if found := _ANSWERED.search(line):
            code = int(found[1])
            result = Result.UNKNOWN if code in _GATEWAY_ERRORS else Result.FAILED
            return Outcome(result, f"answered with error {code}")
        if "Socket Exception" in line:
            if _NOT_CONNECTED.search(line):
                return Outcome(Result.FAILED, "no connection")
            if found := _SMTP_ANSWERED.search(line):
                return Outcome(Result.FAILED, f"answered with error {found[1]}")
    return Outcome(Result.UNKNOWN, "no answer, or a broken connection")


class _ThreadLog(logging.Handler):
    """Keeps the lines that one thread logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.thread, self.lines = threading.get_ident(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, if this thread logged it."""
        if record.thread == self.thread:
            self.lines.append(record.getMessage())


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Collect the lines that Apprise logs in this thread."""
    handler = _ThreadLog()
    _apprise_log.addHandler(handler)
    try:
        yield handler.lines
    finally:
        _apprise_log.removeHandler(handler)


def addresses(policies: Policies, known: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the addresses of the policies' receivers that are set, by the variable named in the policy.

    `known`: those in the settings (`DESKWATCH_…_URL`). Other variables are looked up in the environment, where
    `NAME_FILE` may name a file instead. Raises SettingsError.
    """
    found = os.environ if environ is None else environ
    names = {receiver.url_env for policy in policies.versions for receiver in policy.receivers.values()}
    given = {}
    for name in sorted(names):
        if name in known:
            given[name] = known[name]
        elif name in found:
            given[name] = found[name]
        elif f"{name}_FILE" in found:
            try:
                given[name] = Path(found[f"{name}_FILE"]).expanduser().read_text().strip()
            except (OSError, UnicodeDecodeError):
                raise SettingsError(f"The file that {name}_FILE names cannot be read.") from None
    return {name: address for name, address in given.items() if address}
