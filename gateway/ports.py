"""端口 Protocols, only where two real implementations exist: adapters of agencies, and channels messages leave by."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from gateway.domain.handoff import Draft, Handoff, Outcome, SentHandoff


@runtime_checkable
class Adapter(Protocol):
    """适配器: translates between the common vocabulary and one agency's own format.

    Pure: no clock, no network, no database. What it receives is already masked. Implementations live in
    `adapters/<agency>/adapter.py` and are found by a dotted path in the configuration.
    """

    agency: str
    """Agency code, e.g. `civil_affairs`."""
    version: str
    """Version of the mapping, carried in the envelope's `mapping`."""
    content_type: str
    """`application/json` or `application/xml`."""

    def translate(self, handoff: Handoff) -> Draft:
        """The handoff in the agency's own format; everything not carried is in `Draft.losses`."""
        ...

    def interpret(self, body: Any, sent: SentHandoff) -> tuple[Outcome, ...]:
        """The agency's reply in the common vocabulary.

        Raises SchemaInvalid or MalformedXml for a body that is not of the agency's format, DeniedWithoutReason for a
        denial without reason code or text (rule R09). An unknown code is an Outcome with `code` None.
        """
        ...

    def sheet_columns(self) -> Sequence[tuple[str, str]]:
        """(key, bilingual heading) of the handoff sheet, left to right, without the reply columns."""
        ...

    def sheet_rows(self, body: Any) -> Sequence[Mapping[str, str]]:
        """One row per need of a translated body (what `translate` made), cells as text, keyed by `sheet_columns`;
        each row has `handoff_id` and `need_id`."""
        ...

    def sheet_reply(self, row: Mapping[str, str]) -> Any:
        """A reply body in the agency's own format from one filled row (keys of `workbook.sheets.REPLY_COLUMNS`)."""
        ...
