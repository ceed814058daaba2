"""PostgreSQL 连接 How a connection to PostgreSQL is opened, and which of its answers are not to be trusted (ADR 15).

Rules: a process that stops inside a transaction loses it, so that nobody waits for a sleeper's locks for long. A server
that may only be read, a primary that became a standby, is as good as gone: it and every pooled connection to it. A
commit whose wait for the synchronous standby was cut short is no commit: PostgreSQL calls it one, with a warning only,
so it is listened for; and no role's `statement_timeout` may cut it short.
"""

from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Engine, ExceptionContext, event

LOCK_MS = 30_000
PAUSED_MS = 10_000
_SETTINGS = (f"idle_in_transaction_session_timeout={PAUSED_MS}", f"lock_timeout={LOCK_MS}", "statement_timeout=0")
_NETWORK = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""A machine that vanished is noticed in seconds, not in the hours the system's own settings take."""
_READ_ONLY = "25006"
_NOT_REPLICATED = "xianjie_not_replicated"
_WAIT_CUT_SHORT = "SyncRepWaitForLSN"
"""The place in PostgreSQL that warns; its words are translated, this is not."""


def open_postgres(address: str) -> Engine:
    """An engine for `postgresql+psycopg://`, one host or several; what the URL sets itself is left alone."""
    url = sa.make_url(address)
    engine = sa.create_engine(
        url, hide_parameters=True, pool_size=8, max_overflow=8, pool_pre_ping=True, connect_args=_arguments(url)
    )
    event.listen(engine, "handle_error", _give_up_read_only)
    event.listen(engine, "connect", _listen_for_warnings)
    return engine


def was_cut_short(info: dict[Any, Any]) -> bool:
    """Whether the commit just made was not waited for. info: the connection's own, taken before the commit."""
    return bool(info.pop(_NOT_REPLICATED, False))


def _arguments(url: URL) -> dict[str, str]:
    given = str(url.query.get("options", ""))
    options = " ".join([given, *(f"-c {setting}" for setting in _SETTINGS)]).strip()
    return {"options": options} | {name: value for name, value in _NETWORK.items() if name not in url.query}


def _give_up_read_only(context: ExceptionContext) -> None:
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _listen_for_warnings(connection: Any, record: Any) -> None:
    connection.add_notice_handler(partial(_note, record))


def _note(record: Any, notice: Any) -> None:
    if notice.source_function == _WAIT_CUT_SHORT:
        record.info[_NOT_REPLICATED] = True
