"""Makes the README's pictures anew, from a demonstration of its own: `python -m tests.tools.screenshots`.

Takes two or three minutes, most of them for the demonstration's weeks of history.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.tools.browser import launch_options
from tests.tools.tree import ROOT

FOLDER = ROOT / "docs" / "images"
COLOURS = 128  # flat areas and text need no more, and the files stay small
LARGEST = 150_000  # bytes


@dataclass(frozen=True)
class Demonstration:
    """What `motcua demo` printed: pages by their names, a password for every log-in."""

    pages: dict[str, str]
    password: str


def main() -> int:
    """Take the pictures; exit 1 for one that is too large to be kept with the code."""
    with demonstration() as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        sizes = [_hall(browser, demo), _commune(browser, demo), _phone(browser, demo)]
        browser.close()
    return 1 if max(sizes) > LARGEST else 0


@contextmanager
def demonstration() -> Iterator[Demonstration]:
    """Run the demonstration in a folder of its own and stop it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MOTCUA_INSTANCE": folder, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "app.py", "demo", "--port", str(_free_port())]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            yield _announced(server)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _announced(server: "subprocess.Popen[str]") -> Demonstration:
    """Read what the demonstration prints up to its password."""
    assert server.stdout is not None
    pages: dict[str, str] = {}
    for line in server.stdout:
        if found := re.search(r"Password .*: (\S+)$", line.strip()):
            return Demonstration(pages, found[1])
        if found := re.match(r"\s+(\S.*?)\s{2,}(http://\S+)$", line.rstrip()):
            pages[found[1]] = found[2]
    raise RuntimeError("the demonstration ended before it was ready")


def _hall(browser: Browser, demo: Demonstration) -> int:
    page = browser.new_page(viewport={"width": 1280, "height": 720}, locale="vi-VN")
    page.goto(demo.pages["Hall display"])
    page.wait_for_function("document.querySelectorAll('[data-calls] .call').length >= 3", timeout=120_000)
    return _save(page, "hall.png")


def _commune(browser: Browser, demo: Demonstration) -> int:
    address = demo.pages["Commune (as its leader)"]
    page = browser.new_page(viewport={"width": 1200, "height": 1470}, locale="vi-VN")
    page.goto(address)
    page.fill("[name=username]", "leader-phan-dinh-phung")
    page.fill("[name=password]", demo.password)
    page.click("main button")
    page.wait_for_url(address)
    return _save(page, "commune.png")


def _phone(browser: Browser, demo: Demonstration) -> int:
    page = browser.new_page(viewport={"width": 390, "height": 700}, locale="vi-VN")
    page.goto(demo.pages["A ticket on a phone"])
    return _save(page, "phone.png")


def _save(page: Page, name: str) -> int:
    """Write the picture with few colours and return its size in bytes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path: Path = FOLDER / name
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    page.close()
    size = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size:,} bytes\n")
    return size


if __name__ == "__main__":
    raise SystemExit(main())
