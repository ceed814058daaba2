"""示例报文 What a handoff to one office looks like, from the sample its adapter ships: synthetic, and signed by nobody.

Rules: no case is read; the person is the sample's own, of the prefix no real list has; message id, purpose and the
place of the signature say SYNTHETIC, so that no program takes it for a message and no check of a signature holds.
"""

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from gateway.domain.agreement import Office
from gateway.envelope.compact import Header, encode_header, encode_segment
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP
from gateway.errors import NotFound
from gateway.flows.context import Context
from gateway.flows.issue import ISSUED_TYPE
from gateway.ports import Adapter

SYNTHETIC = "SYNTHETIC"
NO_SIGNATURE = b"SYNTHETIC - SIGNED BY NOBODY - NOT A MESSAGE"
_ENDINGS = {"application/json": "json", "application/xml": "xml"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleMessage:
    """示例报文. header, payload: as they stand in the compact form, to be read by people; body: the office's own
    format."""

    header: str
    payload: str
    body: str
    compact: str


def example_for(context: Context, office: Office, *, now: datetime) -> ExampleMessage:
    """An example for one office. Raises NotFound where its adapter ships no sample."""
    adapter = context.adapters.get(office.agency)
    if adapter is None:
        raise NotFound("no_sample")
    text = _sample(adapter)
    is_json = adapter.content_type == "application/json"
    envelope = Envelope(
        id=f"{SYNTHETIC}-{new_id(now)}",
        source=context.party_id,
        type=ISSUED_TYPE,
        time=now,
        recipient=office.party_id,
        subject=SYNTHETIC,
        purpose=SYNTHETIC,
        mapping={"adapter": office.agency, "version": adapter.version, "loss": []},
        datacontenttype=adapter.content_type,
        data=json.loads(text) if is_json else text,
    )
    payload = envelope.to_payload()
    header = Header(alg=context.key.alg.value, kid=context.key.kid, typ=MESSAGE_TYP)
    parts = (encode_header(header), encode_segment(payload), encode_segment(NO_SIGNATURE))
    return ExampleMessage(
        header=_pretty({"alg": header.alg, "kid": header.kid, "typ": header.typ}),
        payload=_pretty(json.loads(payload)),
        body=_pretty(json.loads(text)) if is_json else text,
        compact=b".".join(parts).decode("ascii"),
    )


def _sample(adapter: Adapter) -> str:
    """The handoff among the samples that lie beside the adapter. Raises NotFound."""
    package = sys.modules[type(adapter).__module__].__package__ or ""
    ending = _ENDINGS.get(adapter.content_type, "")
    try:
        return files(package).joinpath("samples", f"handoff.{ending}").read_text(encoding="utf-8")
    except (OSError, ModuleNotFoundError, ValueError) as error:
        raise NotFound("no_sample") from error


def _pretty(members: object) -> str:
    return json.dumps(members, ensure_ascii=False, indent=2)
