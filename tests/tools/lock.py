"""Writes the two locks for every platform, with hashes, and says whether they still fit pyproject.toml.

python -m tests.tools.lock            write them, keeping the versions they have where that is possible
python -m tests.tools.lock --upgrade  write them with the newest versions
python -m tests.tools.lock --check    exit 1 when they were made from other dependencies; needs no network
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEV_LOCK = "requirements-dev.lock"
RUN_LOCK = "requirements.lock"
COMPILE = "uv pip compile pyproject.toml --quiet --universal --fork-strategy fewest --generate-hashes --no-header"
# Addresses and folders of whoever made the lock are nobody else's business.
COMPILE += " --no-emit-index-url --no-emit-find-links --extra build"


def main(arguments: list[str]) -> int:
    """Run the command line described above and return its exit status."""
    if "--check" in arguments:
        stale = [name for name in (RUN_LOCK, DEV_LOCK) if not is_current(name)]
        for name in stale:
            sys.stderr.write(f"{name} does not fit the dependencies in pyproject.toml: run `make lock`\n")
        return 1 if stale else 0
    upgrade = ["--upgrade"] if "--upgrade" in arguments else []
    write(DEV_LOCK, ["--extra", "dev", *upgrade])
    write(RUN_LOCK, ["--constraint", DEV_LOCK, *upgrade])  # one version of a package, with or without the tests
    return 0


def write(name: str, options: list[str]) -> None:
    """Compile one lock and put the mark of the dependencies it was made from on top."""
    command = [sys.executable, "-m", *COMPILE.split(), *options, "--output-file", name]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    path = ROOT / name
    pins = [line for line in path.read_text(encoding="utf-8").splitlines() if f"-c {DEV_LOCK}" not in line]
    path.write_text("\n".join([mark(), *pins, ""]), encoding="utf-8", newline="\n")


def is_current(name: str) -> bool:
    """Tell whether a lock was made from the dependencies that pyproject.toml asks for now."""
    path = ROOT / name
    return path.is_file() and path.read_text(encoding="utf-8").startswith(mark() + "\n")


def mark() -> str:
    """Return the first line of a lock: a digest of the dependencies it answers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [project["requires-python"], sorted(project["dependencies"])]
    asked += [[extra, sorted(names)] for extra, names in sorted(project["optional-dependencies"].items())]
    digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    return f"# Made by `make lock` from the dependencies in pyproject.toml, sha256 {digest[:32]}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
