"""static/live.js in a real Chromium, over a line that can break (G5, G8, D5, M2, M6, T11)."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

SERVER = Path(__file__).with_name("live_server.py")

pytestmark = pytest.mark.browser


class Line:
    """A TCP proxy in front of the server. `swallow` loses every byte, and for ever on connections alive meanwhile."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.swallowing = False
        self.delay = 0.0
        self.ends: set[socket.socket] = set()
        self.dead: set[socket.socket] = set()
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.door.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self.door.accept()[0]
                self.ends.add(near)
                if self.swallowing:
                    self.dead.add(near)
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    shut(near)
                    continue
                self.ends.add(far)
                for source, target in ((near, far), (far, near)):
                    self.threads.append(threading.Thread(target=self.forward, args=(source, target)))
                    self.threads[-1].start()

    def forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self.delay)
                if source not in self.dead:
                    target.sendall(data)
        if source not in self.dead:
            shut(source)
            shut(target)

    def swallow(self) -> None:
        self.swallowing = True
        self.dead.update(self.ends)

    def heal(self) -> None:
        self.swallowing = False

    def cut(self) -> None:
        """End what is connected now; new connections work."""
        for end in list(self.ends):
            shut(end)

    def close(self) -> None:
        shut(self.door)
        self.threads[0].join()
        self.cut()
        for thread in self.threads:
            thread.join()
        for end in (self.door, *self.ends):
            end.close()


def shut(end: socket.socket) -> None:
    """End a connection that may have ended already, waking whoever reads from it."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class Office:
    """The server process and the line to it, as a test drives them."""

    line: Line

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as door:
            self.port: int = door.getsockname()[1]
        self.start(10)

    def start(self, revision: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), str(self.port), str(revision)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(OSError):
                self.log()
                return
            time.sleep(0.05)
        raise TimeoutError("the server did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def post(self, path: str) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/control/{path}", method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def log(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/control/log", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def follows(self) -> list[tuple[int | None, str]]:
        return [(follow["revision"], follow["answer"]) for follow in self.log()["follows"]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.line.port}/"


@pytest.fixture(scope="module")
def server() -> Iterator[Office]:
    server = Office()
    yield server
    server.stop()


@pytest.fixture
def office(server: Office) -> Iterator[Office]:
    """The office at revision 10, with a whole line."""
    server.post("reset")
    server.line = Line(server.port)
    yield server
    server.line.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; whatever our own script throws or the policy refuses fails the test."""
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    network = ("Failed to load resource", "WebSocket connection to")
    assert [text for text in complaints if not text.startswith(network)] == []


def visit(page: Page, office: Office, query: str = "") -> None:
    """Open the page and wait until its socket follows the office; a mark on the window shows any later reload."""
    page.goto(office.url + query)
    wait_until(page, lambda: bool(office.follows()))
    page.evaluate("window.sameLoad = true")


def wait_until(page: Page, condition: Callable[[], bool], seconds: float = 10) -> float:
    """Wait for something outside the browser; returns how long it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        page.wait_for_timeout(50)
    return time.monotonic() - start


def seconds_until(page: Page, script: str, limit: float) -> float:
    """Seconds until the script is true in the page; the policy forbids wait_for_function."""
    return wait_until(page, lambda: page.evaluate(script), limit)


def told(page: Page, name: str) -> list[Any]:
    found: list[Any] = page.evaluate(
        "name => told.filter(entry => entry.name === name).map(entry => entry.detail)", name
    )
    return found


def revisions(page: Page) -> list[int]:
    return [event["revision"] for event in told(page, "change")]


def shown(number: str) -> str:
    return f"document.querySelector('#number').textContent === '{number}'"


STRIP = "!document.querySelector('[data-strip]').hidden"
NO_STRIP = "document.querySelector('[data-strip]').hidden"


def test_a_change_reaches_the_page_as_event_and_as_fragment(page: Page, office: Office) -> None:
    visit(page, office)
    office.post("change")
    seconds_until(page, shown("A011"), 1)
    assert told(page, "change")[0]["ticket"]["number"] == "A011"
    assert office.log()["requests"].get("/_issued") is None  # data-on="issued" does not care for calls
    office.post("change?kind=issued")
    expect(page.locator("aside")).to_have_text("A012")
    assert office.follows() == [(10, "events")]


def test_a_busy_office_fetches_a_fragment_at_most_once_a_second(page: Page, office: Office) -> None:
    visit(page, office)
    start = time.monotonic()
    for _ in range(30):
        office.post("change")
        page.wait_for_timeout(50)
    seconds_until(page, shown("A040"), 2)
    assert office.log()["requests"]["/_calls"] <= 1 + (time.monotonic() - start)
    assert revisions(page) == list(range(11, 41))


def test_a_page_drawn_at_an_older_revision_is_caught_up_by_events(page: Page, office: Office) -> None:
    office.post("change?count=3")
    visit(page, office, "?revision=11")
    seconds_until(page, shown("A013"), 2)
    assert office.follows() == [(11, "events")]
    assert revisions(page) == [12, 13]


def test_a_page_whose_history_is_gone_is_given_a_snapshot(page: Page, office: Office) -> None:
    office.post("change?count=3")
    office.post("forget")
    visit(page, office, "?revision=11")
    seconds_until(page, shown("A013"), 2)
    assert office.follows() == [(11, "snapshot")]
    assert [snapshot["revision"] for snapshot in told(page, "snapshot")] == [13]


def test_a_gap_between_changes_is_asked_for_at_once(page: Page, office: Office) -> None:
    visit(page, office)
    office.post("change?count=3&send=last")
    seconds_until(page, shown("A013"), 1)
    assert revisions(page) == [11, 12, 13]


def test_a_missed_last_change_is_noticed_by_the_next_pulse(page: Page, office: Office) -> None:
    visit(page, office)
    office.post("change?send=none")
    seconds_until(page, shown("A011"), 3)
    assert revisions(page) == [11]


def test_changes_twice_or_in_the_wrong_order_are_told_once_and_in_order(page: Page, office: Office) -> None:
    visit(page, office)
    office.post("change?count=3&send=twice")
    office.post("change?count=3&send=reversed")
    seconds_until(page, shown("A016"), 2)
    assert revisions(page) == [11, 12, 13, 14, 15, 16]


def test_a_server_restored_from_a_backup_is_believed(page: Page, office: Office) -> None:
    visit(page, office)
    office.post("forget?revision=7")
    seconds_until(page, shown("A007"), 3)


def test_typing_and_focus_outlive_a_refresh(page: Page, office: Office) -> None:
    visit(page, office)
    page.locator("#recall").focus()
    office.post("change")
    seconds_until(page, shown("A011"), 2)
    assert page.evaluate("document.activeElement.id") == "recall"
    page.locator("#note").press_sequentially("phòng 2")
    office.post("change")
    wait_until(page, lambda: revisions(page) == [11, 12])
    page.wait_for_timeout(500)
    expect(page.locator("#note")).to_have_value("phòng 2")
    page.locator("#next").focus()
    seconds_until(page, shown("A012"), 2)


def test_a_button_is_not_replaced_between_press_and_click(page: Page, office: Office) -> None:
    visit(page, office)
    page.evaluate(
        "window.clicks = 0; document.querySelector('#recall').addEventListener('click', () => { clicks += 1 })"
    )
    page.locator("#recall").hover()
    page.mouse.down()
    office.post("change")
    wait_until(page, lambda: revisions(page) == [11])
    page.wait_for_timeout(400)
    page.mouse.up()
    assert page.evaluate("clicks") == 1
    seconds_until(page, shown("A011"), 2)


def test_d7_a_revoked_page_reloads_and_says_so_itself(page: Page, office: Office) -> None:
    older = "const now = performance.now.bind(performance); performance.now = () => now() + 10000"
    page.add_init_script(older)  # a page younger than 10 s does not reload
    visit(page, office)
    office.post("set?allowed=0")
    office.post("change")
    expect(page.locator("h1")).to_have_text("Màn hình chưa được cấp quyền", timeout=2000)


def test_time_asleep_counts_as_silence(page: Page, office: Office) -> None:
    visit(page, office)
    page.evaluate("Date.now = ((now) => () => now() + 600000)(Date.now)")
    wait_until(page, lambda: bool(told(page, "online")), 3)
    assert told(page, "online")[0]["silentFor"] > 600
    seconds_until(page, NO_STRIP, 1)


def test_g5_a_swallowed_line_shows_the_strip_within_5_s_and_heals_within_3_s_without_reload(
    page: Page, office: Office
) -> None:
    visit(page, office)
    office.line.swallow()
    assert seconds_until(page, STRIP, 5) > 2
    assert page.evaluate("document.documentElement.dataset.live") == "off"
    expect(page.locator("#next")).to_be_disabled()
    office.post("change?count=5")
    page.wait_for_timeout(1000)
    office.line.heal()
    healed = seconds_until(page, NO_STRIP, 3)
    assert page.evaluate(shown("A015"))  # the strip never goes before the page is right
    assert healed <= 3
    expect(page.locator("#next")).to_be_enabled()
    expect(page.locator("#never")).to_be_disabled()
    assert page.evaluate("document.documentElement.dataset.live") == "on"
    assert page.evaluate("window.sameLoad")
    names = page.evaluate("told.map(entry => entry.name)")
    assert names[:3] == ["offline", "online", "snapshot"]
    assert 4.5 < told(page, "online")[0]["silentFor"] < 12


def test_g5_sockets_that_fall_silent_are_left_and_polls_carry_the_truth(page: Page, office: Office) -> None:
    visit(page, office)
    office.post("set?pulsing=0")
    seconds_until(page, STRIP, 5.1)
    seconds_until(page, NO_STRIP, 3)
    office.post("change?send=none")
    seconds_until(page, shown("A011"), 2.8)


def test_a_follow_that_is_never_answered_counts_as_silence(page: Page, office: Office) -> None:
    visit(page, office)
    office.post("set?answering=0")
    office.post("change?count=2&send=last")
    seconds_until(page, shown("A012"), 8)


def test_a_cut_connection_shows_no_strip_because_polls_take_over(page: Page, office: Office) -> None:
    visit(page, office)
    page.evaluate(
        "window.strips = 0; setInterval(() => { strips += !document.querySelector('[data-strip]').hidden }, 50)"
    )
    office.line.cut()
    office.post("change")
    seconds_until(page, shown("A011"), 3)
    assert page.evaluate("strips") == 0


def test_d5_a_restarted_server_is_found_again_within_3_s(page: Page, office: Office) -> None:
    visit(page, office)
    office.stop()
    seconds_until(page, STRIP, 5)
    office.start(25)
    seconds_until(page, NO_STRIP, 3)
    assert page.evaluate(shown("A025"))
    assert page.evaluate("window.sameLoad")
    page.evaluate("dispatchEvent(new Event('online'))")  # without it the socket comes back within 30 s
    wait_until(page, lambda: office.follows() == [(25, "events")], 5)


def test_where_websockets_are_refused_polls_keep_the_truth(page: Page, office: Office) -> None:
    office.post("set?websockets=0")
    page.goto(office.url)
    page.wait_for_timeout(1500)
    for number in ("A011", "A012"):
        office.post("change")
        seconds_until(page, shown(number), 2.5)
    assert page.evaluate(NO_STRIP)
    assert [snapshot["revision"] for snapshot in told(page, "snapshot")] == [11, 12]
    assert told(page, "offline") == []


def test_a_fragment_that_cannot_be_fetched_shows_the_strip_although_the_socket_lives(
    page: Page, office: Office
) -> None:
    visit(page, office)
    office.post("set?fragments=0")
    office.post("change")
    seconds_until(page, STRIP, 6)
    office.post("set?fragments=1")
    seconds_until(page, NO_STRIP, 3.5)
    assert page.evaluate(shown("A011"))


def test_a_slow_line_shows_no_strip(page: Page, office: Office) -> None:
    office.line.delay = 0.25
    visit(page, office)
    office.post("change")
    seconds_until(page, shown("A011"), 3)
    assert told(page, "offline") == []


def test_m2_a_phone_asks_as_often_as_its_fragment_says_and_m6_heals(page: Page, office: Office) -> None:
    page.goto(office.url + "phone")
    office.post("change")
    expect(page.locator("main")).to_have_text("11", timeout=1500)
    office.line.swallow()
    seconds_until(page, STRIP, 6)
    office.line.heal()
    seconds_until(page, NO_STRIP, 5)
    office.post("change?count=10")
    expect(page.locator("main")).to_have_text("21", timeout=2500)
    asked = office.log()["requests"]["/_ahead"]
    page.wait_for_timeout(1500)
    assert office.log()["requests"]["/_ahead"] == asked
