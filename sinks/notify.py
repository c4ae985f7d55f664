"""Sends a message to a receiver, by Apprise: WeCom, DingTalk, Feishu, Slack, e-mail, webhooks and a hundred others.

What matters here is to know what came of it, for a message that may have arrived is not sent a second time:

    sent      the receiver took it
    failed    it surely did not arrive: refused, no connection, an error as the answer
    unknown   everything else: no answer in time, a connection that broke

Addresses are secrets: they come from the environment or from files, and neither they nor Apprise's own words, which
repeat them, are logged or recorded.
"""

import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import apprise

from streams.desk.policy.versions import Policies
from streams.settings import SettingsError

Outcome = tuple[str, str]

_apprise_log = logging.getLogger("apprise")
_apprise_log.propagate = False
_apprise_log.setLevel(logging.DEBUG)
_apprise_log.addHandler(logging.NullHandler())

# Apprise (2.3) says whether it worked, not why it did not: that it tells its log only, in every plugin alike (such as
# plugins/custom_json.py:349, plugins/email/base.py:714): "… error=500", or "Socket Exception: …" with the error's text.
_ANSWERED = re.compile(r"\berror=(\d{3})\b")
_SMTP_ANSWERED = re.compile(r"\((\d{3}), b")
_PASSED_ON = (502, 504)  # a gateway's answer: what lies behind it may have taken the message
_NOT_CONNECTED = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|SSLError|ProxyError|Connection refused"
    r"|No route to host|Network is unreachable|Name or service not known|nodename nor servname"
)


class Notifier:
    """Sends to receivers by the names of the variables that hold their addresses. Its methods may run in threads."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)
        self._asset = apprise.AppriseAsset(app_id="Deskwatch", app_desc="Deskwatch", async_mode=False)

    def __repr__(self) -> str:
        return f"Notifier({sorted(self._addresses)})"

    @property
    def known(self) -> frozenset[str]:
        """The variables whose receivers have an address."""
        return frozenset(self._addresses)

    def send(self, url_env: str, title: str, body: str) -> Outcome:
        """Send one message and return what came of it, and why; takes as long as the receiver does (seconds)."""
        target = apprise.Apprise(asset=self._asset)
        try:
            with _overheard() as heard:
                added = target.add(self._addresses[url_env])
                if not added or len(target) != 1:
                    return "failed", f"{url_env} is not one address that Apprise knows"
                (server,) = target
                server.retry = 0  # whether to send again is decided by the chain
                # Not target.notify: it sends in a thread of its own (apprise.py), and what it logs would be anybody's.
                sent = server.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # a plugin's own fault must not end the worker
            return "unknown", f"{type(error).__name__} while sending"
        return ("sent", "") if sent else _judged(heard)


def _judged(heard: Iterable[str]) -> Outcome:
    """What Apprise's log says of a message that was not, or perhaps not, sent."""
    for line in heard:
        if found := _ANSWERED.search(line):
            code = int(found[1])
            return ("unknown" if code in _PASSED_ON else "failed"), f"answered with error {code}"
        if "Socket Exception" in line:
            if _NOT_CONNECTED.search(line):
                return "failed", "no connection"
            if found := _SMTP_ANSWERED.search(line):
                return "failed", f"answered with error {found[1]}"
    return "unknown", "no answer, or a broken connection"


class _Listener(logging.Handler):
    """Keeps what one thread logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.thread, self.lines = threading.get_ident(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is of this thread."""
        if record.thread == self.thread:
            self.lines.append(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    listener = _Listener()
    _apprise_log.addHandler(listener)
    try:
        yield listener.lines
    finally:
        _apprise_log.removeHandler(listener)


def addresses(policies: Policies, known: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the addresses of the policies' receivers that are set, by the variable that the policy names.

    `known` are those that the settings hold (`DESKWATCH_…_URL`); a variable of another name is looked up in the
    environment, where `NAME_FILE` may name a file instead. Raises SettingsError.
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
