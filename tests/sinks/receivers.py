"""Receivers of notifications on this machine: a counting HTTP server and a counting SMTP server, good or bad."""

import email
import email.header
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class HttpReceiver:
    """Keeps what is posted to it. `answer`: the status it answers with; 0: it takes the message and never answers."""

    def __init__(self) -> None:
        self.answer = 200
        self.got: list[tuple[str, str]] = []  # title, message
        self.bye = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.got.append((posted["title"], posted["message"]))
                if receiver.answer == 0:
                    receiver.bye.wait(10)
                    return
                self.send_response(receiver.answer)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/?rto=0.5&cto=0.5"

    def ids(self) -> list[str]:
        """The ids of the messages, from their last line."""
        return [message.splitlines()[-1].split()[-1].split("：")[-1] for _title, message in self.got]


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    threading.Thread(target=receiver.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.bye.set()
        receiver.server.shutdown()
        receiver.server.server_close()


class SmtpReceiver:
    """Keeps the mail it gets. `refuse`: an answer with which it refuses every mail."""

    def __init__(self) -> None:
        self.refuse = ""
        self.got: list[tuple[str, str]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuse:
            return self.refuse
        mail = email.message_from_bytes(envelope.content)
        subject = str(email.header.make_header(email.header.decode_header(mail["subject"])))
        payload = next(part for part in mail.walk() if part.get_content_type() == "text/plain").get_payload(decode=True)
        assert isinstance(payload, bytes)
        self.got.append((subject, payload.decode()))
        return "250 OK"

    @property
    def ids(self) -> list[str]:
        """The ids of the messages."""
        return [body.strip().splitlines()[-1].split()[-1].split("：")[-1] for _subject, body in self.got]


@contextmanager
def smtp_receiver() -> Iterator[tuple[SmtpReceiver, str]]:
    """An SMTP server, and the Apprise address of a mailbox on it."""
    receiver = SmtpReceiver()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(receiver, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield (
            receiver,
            f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure&from=desk@example.org&to=lead@example.org",
        )
    finally:
        controller.stop()


def nobody() -> str:
    """The address of a receiver that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"json://127.0.0.1:{probe.getsockname()[1]}/?rto=0.5&cto=0.5"
