"""运行 `xianjie serve`, `work`, `sandbox`: the web application, the worker, both in one process, a simulated agency.

SIGTERM and SIGINT stop gracefully: requests and jobs under way end, the writer's queue is committed, nothing new
begins. `serve` says its address on standard output as one JSON line, so that a program may start it on any free port.
"""

import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from gateway.app import Clock, build_context
from gateway.cli.console import DONE, Installation, log_to_stderr, with_installation
from gateway.cli.demo_people import tour_of
from gateway.config import Config, require_public_url
from gateway.errors import ConfigError
from gateway.flows.context import Context
from gateway.flows.sequence import guard
from gateway.sandbox import agency as simulated_agency
from gateway.store import migrate, vault
from gateway.store.shared_clock import SharedClock, database_time
from gateway.store.witness import WitnessFile
from gateway.transport.address import resolve
from gateway.transport.answer import Answer
from gateway.transport.provider import Provider
from gateway.transport.push import Pusher
from gateway.web.server import open_server
from gateway.web.site import create_site
from gateway.worker import Worker

PUSH_SECONDS = 30.0
SWITCH_SECONDS = 0.0005


@click.command()
@click.option("--host", help="监听地址 default from the configuration")
@click.option("--port", type=click.IntRange(0, 65535), help="端口 0: any free one")
@click.option("--work/--no-work", default=False, help="同时运行后台任务 run the worker in this process too")
@with_installation
def serve(installation: Installation, host: str | None, port: int | None, work: bool) -> None:
    """启动 Serves the API (and with --work does the worker's jobs) until told to stop."""
    config = installation.config
    require_public_url(host or config.host, config.public_url)
    log_to_stderr()
    context = build_context(config)
    _require_migrated(context)
    clock = clock_of(context, config)
    guard(context, WitnessFile(config.state), now=clock())
    server = _listening(context, clock, config, host=host or config.host, port=config.port if port is None else port)
    worker = make_worker(context, clock, config) if work else None
    if worker is not None:
        worker.start()
    _on_signal(_leave)
    address = f"http://{server.effective_host}:{server.effective_port}"
    click.echo(json.dumps({"address": address, "party": config.party_id, "working": work}))
    sys.stdout.flush()
    try:
        server.run()  # ends on _leave: requests under way are answered first
    finally:
        server.close()
        if worker is not None:
            worker.stop()
        context.store.close()


def _listening(context: Context, clock: Callable[[], datetime], config: Config, *, host: str, port: int) -> Any:
    """The server, bound. Raises ConfigError where it cannot listen."""
    named = config.provider
    provider = None if named is None else Provider(named, ca_bundle=config.ca_bundle)
    tour = tour_of(context) if config.demo else None
    site = create_site(context, clock, public_url=config.public_url, provider=provider, tour=tour)
    try:
        # many short threads: handing the interpreter over sooner halves the slowest answers (docs/bench.md)
        sys.setswitchinterval(SWITCH_SECONDS)
        return open_server(site, host=host, port=port, threads=config.threads)
    except OSError as error:
        context.store.close()
        raise ConfigError(f"cannot listen on {host}:{port} ({error.strerror or type(error).__name__})") from error


def _leave() -> None:
    raise SystemExit(DONE)


@click.command()
@with_installation
def work(installation: Installation) -> None:
    """后台 Dispatches, delivers and reconciles until told to stop; any number of these may run over one database."""
    config = installation.config
    log_to_stderr()
    context = build_context(config)
    _require_migrated(context)
    clock = clock_of(context, config)
    guard(context, WitnessFile(config.state), now=clock())
    worker = make_worker(context, clock, config)
    stop = threading.Event()
    _on_signal(stop.set)
    worker.start()
    click.echo(json.dumps({"party": config.party_id, "working": True}))
    sys.stdout.flush()
    stop.wait()
    worker.stop()
    context.store.close()


@click.command()
@click.argument("agency_config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def sandbox(agency_config: Path) -> None:
    """模拟部门 A simulated agency for partners and demonstrations, by its own configuration file."""
    sys.exit(simulated_agency.main(["--config", str(agency_config)]))


def clock_of(context: Context, config: Config) -> Callable[[], datetime]:
    """Nodes over one PostgreSQL go by its clock, whatever their own say; over one SQLite file they share a machine."""
    if context.store.is_sqlite:
        return Clock(config)
    return SharedClock(partial(database_time, context.store), shift=config.clock_offset)


def make_worker(context: Context, clock: Callable[[], datetime], config: Config) -> Worker:
    """The worker with a real HTTP pusher. Its name among all workers is its own even where two share host and pid."""
    pusher = Pusher(ca_bundle=config.ca_bundle)

    def push(url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        endpoint = resolve(url, allowed=config.allow_addresses)
        return pusher.push(endpoint, body, content_type=content_type, headers=headers, timeout=PUSH_SECONDS)

    return Worker(
        context,
        push,
        clock,
        owner=f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}",
        witness=WitnessFile(config.state),
        cutoff_every=timedelta(minutes=config.cutoff_minutes),
    )


def _require_migrated(context: Context) -> None:
    """The tables of this version, sealed under our data key. Raises ConfigError."""
    if not migrate.is_current(context.store):
        context.store.close()
        raise ConfigError("the database is not up to date; run `xianjie migrate` first")
    try:
        with context.store.reading() as connection:
            vault.require_key(connection)
    except ConfigError:
        context.store.close()
        raise


def _on_signal(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


COMMANDS = (serve, work, sandbox)
