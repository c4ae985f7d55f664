"""A hostile page in a real Chromium, on the machine of a running demo: it gets nothing and changes nothing.

The page is of another port of this machine, and of another site. It tries each way in which a page can send a request:
fetch, beacon, script, image, frame, form, navigation, WebSocket, EventSource, and a name of its own that has come to
mean this machine (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

pytestmark = pytest.mark.browser

WHERE = ("chromium", "chromium-browser", "google-chrome")
ATTACK = """
async ([urls, body, patience]) => {
    const read = [], later = ms => new Promise(done => setTimeout(done, ms));
    const element = (name, fields) => document.body.append(Object.assign(document.createElement(name), fields));
    const tried = [];
    for (const url of urls) {
        for (const mode of ["cors", "no-cors"]) {
            const form = new URLSearchParams({query: body});
            for (const more of [{}, {method: "POST", body}, {method: "POST", body: form}]) {
                tried.push(fetch(url, {mode, credentials: "include", ...more}).then(answer => answer.text()).then(
                    text => text && read.push(["fetch", url, text]), () => 0));
            }
        }
        tried.push(fetch(url, {method: "POST", body, headers: {"content-type": "application/json"}}).then(
            answer => answer.text()).then(text => text && read.push(["json", url, text]), () => 0));
        navigator.sendBeacon(url, body);
        element("script", {src: url});
        element("img", {src: url, onload: () => read.push(["img", url])});
        element("link", {rel: "stylesheet", href: url});
        element("iframe", {src: url});
        const name = "frame" + Math.random();
        element("iframe", {name});
        const form = Object.assign(document.createElement("form"),
            {action: url, method: "POST", enctype: "text/plain", target: name});
        form.append(Object.assign(document.createElement("textarea"), {name: body + "--", value: ""}));
        document.body.append(form);
        form.submit();
        const socket = new WebSocket(url.replace("http", "ws"));
        socket.onopen = () => read.push(["websocket", url]);
        const source = new EventSource(url);
        source.onmessage = source.onopen = () => read.push(["events", url]);
        tried.push(later(500).then(() => source.close()));
    }
    await Promise.race([Promise.all(tried), later(patience)]);
    for (const frame of document.querySelectorAll("iframe")) {
        try { read.push(["frame", frame.contentDocument.body.innerText]) } catch { }
    }
    return read.filter(found => found[0] != "frame" || found[1]);
}
"""


def chromium() -> str:
    for name in WHERE:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no Chromium ({', '.join(WHERE)}): apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install '.[dev]'")
    path = chromium()
    arguments = ["--host-resolver-rules=MAP *.example 127.0.0.1"]
    # Newer Chromiums ask before a public page may reach this machine: people say yes, and others do not ask.
    arguments += ["--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"]
    arguments += ["--no-sandbox"] if os.getuid() == 0 else []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


def deskwatch(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("deskwatch")), *arguments]


async def records_of(broker: str) -> list[bytes]:
    found: list[bytes] = []
    async with AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest") as consumer:
        topics = await consumer.topics()
        left = [TopicPartition(topic, n) for topic in topics for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(left)
        ends = await consumer.end_offsets(left)
        while left := [tp for tp in left if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += [record.value for record in records if record.value is not None]
    return found


class Demo:
    """A running demo."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = (data.parent / "demo.log").open("w")
        argv = deskwatch("demo", "--plain", "--agents", "40", "--data", str(data))
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=subprocess.STDOUT)
        until = time.monotonic() + 120
        while "events stored" not in (data.parent / "demo.log").read_text():
            assert self.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        self.addresses: dict[str, str] = json.loads((data / "run" / "ports.json").read_text())

    def ask(self, statement: str) -> str:
        asked = subprocess.run(
            deskwatch("sql", statement, "--data", str(self.data)), capture_output=True, text=True, check=True
        )
        return asked.stdout

    def records(self) -> list[bytes]:
        """The values of all records on the broker."""
        with ThreadPoolExecutor(1) as thread:  # Playwright's loop runs in this one
            return thread.submit(asyncio.run, records_of(self.addresses["broker"])).result()

    def ports(self) -> dict[str, int]:
        """The port of each part, as it stands in ports.json."""
        return {name: int(re.findall(r":(\d+)", address)[-1]) for name, address in self.addresses.items()}

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    pytest.importorskip("chdb")
    demo = Demo(tmp_path_factory.mktemp("demo") / "data")
    yield demo
    demo.stop()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a web server with the hostile page."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>Win a prize</title><body>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


EVIL = "x\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: text/javascript\r\n\r\n"
SECRET = "a line of a secret file"


def targets(port: int, folder: Path) -> list[str]:
    """The addresses that a page would try at a port."""
    at = f"http://127.0.0.1:{port}"
    reads = f"SELECT * FROM file('{folder}/secret', 'LineAsString')"
    writes = f"SELECT 1 INTO OUTFILE '{folder}/.bashrc' APPEND"
    return [
        f"{at}/",
        f"{at}/metrics",
        f"{at}/ping",
        f"{at}/warnings/w/acknowledge",
        f"{at}/?query=DROP+DATABASE+deskwatch",
        f"{at}/?query={quote(reads)}",
        f"{at}/?query={quote(writes)}",
        f"{at}/?query=SELECT+1&query_id={quote(EVIL)}",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "hostile.example"])
@pytest.mark.parametrize("body", ["DROP DATABASE deskwatch", '{"by": "evil"}'])
def test_a_hostile_page_gets_nothing_and_changes_nothing(
    browser: Any, demo: Demo, site: int, host: str, body: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / ".bashrc").write_text("")
    ports = demo.ports()
    assert ports.keys() >= {"broker", "clickhouse", "api", "metrics-track", "metrics-store"}
    page = browser.new_page()
    answered: dict[int, list[tuple[int, str]]] = {}
    page.on("response", lambda found: answered.setdefault(urlsplit(found.url).port or 0, []).append(
        (found.status, json.dumps(found.headers))))  # fmt: skip
    for name, port in ports.items():
        page.goto(f"http://{host}:{site}/")
        patience_ms = 5000 if name == "broker" else 120_000  # a broker waits for the rest of what is no request to it
        assert page.evaluate(ATTACK, [targets(port, tmp_path), body, patience_ms]) == []
    for name, port in ports.items():
        found = answered.get(port, [])
        # A broker answers no HTTP; of the others, the frames did arrive.
        assert {status for status, _ in found} == (set() if name == "broker" else {403}), name
        assert "access-control-allow" not in str(found).lower()
        assert len(found) >= (0 if name == "broker" else 8), name
    page.close()
    records = demo.records()
    assert any(b"ticket.created" in record for record in records)
    assert not [record for record in records if body.encode() in record]  # nothing of the page is an event
    assert int(demo.ask("SELECT count() FROM events").split()[-1]) > 0
    assert demo.ask("SELECT count() FROM risk_warnings WHERE acknowledged_by = 'evil'").split()[-1] == "0"
    assert (tmp_path / ".bashrc").read_text() == ""


def test_a_name_that_has_come_to_mean_this_machine_is_refused(browser: Any, demo: Demo) -> None:
    """DNS rebinding: the page and what it asks are of one origin, so the browser protects nothing."""
    page = browser.new_page()
    for name, port in demo.ports().items():
        if name == "broker":
            continue
        for path in ("/?query=SELECT+42", "/metrics", "/health", "/ping"):
            answer = page.goto(f"http://rebound.example:{port}{path}")
            assert (answer.status, "42" in answer.text()) == (403, False), name
            again = page.evaluate("path => fetch(path, {method: 'POST', body: 'SELECT 42'}).then(a => a.status)", path)
            assert again in {403, 405}
    page.close()


def test_a_page_that_knows_the_password_gets_nothing_either(browser: Any, demo: Demo, site: int) -> None:
    password = (demo.data / "password").read_text().strip()
    port = demo.ports()["clickhouse"]
    page = browser.new_page()
    statuses: list[int] = []
    page.on("response", lambda found: statuses.append(found.status) if f":{port}" in found.url else None)
    page.goto(f"http://hostile.example:{site}/")
    with_header = """([url, key]) => fetch(url, {method: 'POST', body: 'SELECT 42', headers: {'X-ClickHouse-Key': key}})
        .then(answer => answer.text(), () => '')"""
    assert page.evaluate(with_header, [f"http://127.0.0.1:{port}/", password]) == ""
    drop = f"//default:{password}@127.0.0.1:{port}/?query=DROP+DATABASE+deskwatch"
    page.evaluate("url => { location = 'http:' + url }", drop)
    page.wait_for_timeout(1000)
    assert set(statuses) <= {403}
    page.close()
    assert int(demo.ask("SELECT count() FROM events").split()[-1]) > 0


def test_the_demo_s_own_ports_are_all_that_listen(demo: Demo) -> None:
    import psutil

    parts = [psutil.Process(demo.process.pid), *psutil.Process(demo.process.pid).children(recursive=True)]
    found = [c.laddr for part in parts for c in part.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert {address.ip for address in found} == {"127.0.0.1"}
    assert sorted(address.port for address in found) == sorted(demo.ports().values())
