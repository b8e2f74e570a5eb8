"""Chromium for the browser tests: where it is, how to get it, and what is said when there is none.

Also a pytest plugin (tests/conftest.py names it): without a browser the tests marked `browser` are skipped and
the last lines of the run say so; where CI is set they fail instead.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
HOW_TO_GET_ONE = (
    "Install one: `sudo apt-get install chromium` (Debian), else `python -m playwright install chromium`; "
    "or name one you have: MOTCUA_CHROMIUM=/path/to/chrome"
)
NO_CHROMIUM = f"There is no Chromium on this machine. {HOW_TO_GET_ONE}"
NO_DRIVER = "Playwright's driver does not start. Install what it misses: `sudo apt-get install libatomic1` (Debian)"
BANNER = f"""
{"!" * 100}
!!! {{count}} BROWSER TESTS DID NOT RUN. {{why}}
{"!" * 100}
"""


def launch_options() -> dict[str, Any]:
    """Return the keywords for Playwright's `chromium.launch`; raises FileNotFoundError without a browser."""
    chromium = find_chromium()
    if chromium is None:
        raise FileNotFoundError(NO_CHROMIUM)
    arguments = ["--disable-dev-shm-usage"]  # containers give /dev/shm 64 MB: pages would crash
    if sys.platform != "win32" and os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium's sandbox refuses root
    return {"executable_path": str(chromium), "args": arguments}


@cache
def find_chromium() -> Path | None:
    """Return the first browser of Chromium's family that starts, or None.

    Where `MOTCUA_CHROMIUM` is set, only that one is tried: a path that is wrong shall not go unnoticed.
    """
    if named := os.environ.get("MOTCUA_CHROMIUM"):
        return next((path for path in [Path(named)] if _starts(path)), None)
    return next((path for path in _candidates() if path.is_file() and _starts(path)), None)


def _candidates() -> Iterator[Path]:
    for name in NAMES:
        if found := shutil.which(name):
            yield Path(found)
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        if folder := os.environ.get(variable):
            yield Path(folder, "Google/Chrome/Application/chrome.exe")
            yield Path(folder, "Chromium/Application/chrome.exe")
            yield Path(folder, "Microsoft/Edge/Application/msedge.exe")
    for application in ("Google Chrome", "Chromium", "Microsoft Edge"):
        yield Path(f"/Applications/{application}.app/Contents/MacOS/{application}")
    for folder in ("~/.cache/ms-playwright", "~/Library/Caches/ms-playwright", "~/AppData/Local/ms-playwright"):
        downloads = Path(folder).expanduser()
        for program in ("chrome", "chrome.exe", "Chromium", "Google Chrome for Testing"):
            yield from sorted(downloads.glob(f"chromium-*/**/{program}"), reverse=True)


def _starts(path: Path) -> bool:
    """Ubuntu's `chromium-browser` may be a stub that only says where to get the real one."""
    if sys.platform == "win32":
        return path.is_file()  # there, --version opens a window
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@cache
def what_is_missing() -> str | None:
    """Return why browser tests cannot run here and what to do about it, or None when they can."""
    if not _driver_starts():
        return NO_DRIVER
    return NO_CHROMIUM if find_chromium() is None else None


def _driver_starts() -> bool:
    """Playwright's package brings a Node.js of its own, which needs a library that a small Debian lacks."""
    package = find_spec("playwright")
    if package is None or package.origin is None:
        return False
    driver = Path(package.origin).parent / "driver"
    return any(path.is_file() and _starts(path) for path in (driver / "node", driver / "node.exe"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a browser test that has no browser; in CI, fail it."""
    if item.get_closest_marker("browser") is None or (why := what_is_missing()) is None:
        return
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say below pytest's own last line that browser tests did not run: skipped tests are easily overlooked."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    reasons = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    for why in (NO_DRIVER, NO_CHROMIUM):
        if count := sum(why in reason for reason in reasons):
            sys.stdout.write(BANNER.format(count=count, why=why))


def main() -> int:
    """Get what browser tests need, before they run: exit 1 only in CI, where going without is a failure."""
    wanted = {"chromium": find_chromium() is None, "libatomic1": not _driver_starts()}
    wanted["fonts-noto-core"] = not _can_write_vietnamese()
    if packages := [package for package, missing in wanted.items() if missing]:
        _install_from_apt(*packages)
        find_chromium.cache_clear()
    why = what_is_missing()
    if why is not None:
        sys.stderr.write(f"Browser tests cannot run. {why}\n")
    return 1 if why is not None and os.environ.get("CI") else 0


def _can_write_vietnamese() -> bool:
    if shutil.which("fc-list") is None:
        return sys.platform != "linux"
    return bool(subprocess.run(["fc-list", ":lang=vi"], capture_output=True, check=False).stdout)


def _install_from_apt(*packages: str) -> None:
    """Install Debian packages when we may; what goes wrong is shown and left to whoever reads it."""
    if sys.platform == "win32" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    sys.stderr.write(f"Installing {' '.join(packages)} with apt-get ...\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "--quiet=2"], install):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True
        )
        if done.returncode != 0:
            sys.stderr.write(f"{' '.join(command)} failed:\n{done.stderr}\n")


if __name__ == "__main__":
    raise SystemExit(main())
