"""回执核对 Receipts: each names id and digest of a message of the case (Law 4), comes from whom its rung may come from,
is addressed to whom it is owed, and no rung has two positive or two negative ones. Every message that the gateway
accepted has its receipt, for both are written in one commit."""

from gateway.evidence.contents import Contents, Paper, Said
from gateway.evidence.receipt import ReceiptVerdict, Rung
from gateway.evidence.verifier.conclusions import Conclusions
from gateway.evidence.verifier.facts import Fact, Facts
from gateway.evidence.verifier.relations import later_than


def check_receipts(contents: Contents, facts: Facts, found: Conclusions) -> None:
    """Every check of this file."""
    given: dict[tuple[str, Rung, bool], str] = {}
    answered: set[str] = set()
    for receipt in contents.receipts:
        said = receipt.said
        message = _message_of(receipt, facts, found)
        if said is None or message is None:
            continue
        _check_issuer(receipt, said, message, contents.gateway, found)
        _check_form(receipt, said, message, contents, found)
        key = (message.digest, said.rung, said.verdict.is_positive)
        if given.setdefault(key, receipt.name) != receipt.name:
            found.add("receipt_repeated", receipt.name, other=given[key], rung=said.rung.value)
        if said.rung is Rung.SUBMISSION:
            answered.add(message.digest)
    _check_rows(contents, facts, given, found)
    for message in facts.inbound:
        if message.digest not in answered:
            found.add("submission_receipt_missing", message.name)


def _message_of(receipt: Paper, facts: Facts, found: Conclusions) -> Fact | None:
    """The message with the id and the digest it names."""
    envelope = receipt.envelope
    named = facts.named(envelope.in_reply_to)
    for message in named:
        if message.digest == envelope.in_reply_to_digest:
            return message
    code = "receipt_digest_other" if named else "receipt_of_unknown_message"
    found.add(code, receipt.name, id=envelope.in_reply_to)
    return None


def _check_issuer(receipt: Paper, said: Said, message: Fact, gateway: str, found: Conclusions) -> None:
    """`submission` by the gateway about what it was sent; the others about what it sent, by whom it was sent to, or,
    when time ran out, by the gateway itself."""
    by = receipt.envelope.source
    if (said.rung is Rung.SUBMISSION) == (message.source == gateway):
        found.add("receipt_rung_impossible", receipt.name, rung=said.rung.value)
        return
    timed_out = said.verdict is ReceiptVerdict.TIMEOUT and message.source == gateway
    allowed = gateway if timed_out else message.recipient
    if by != allowed:
        found.add("receipt_by_other_party", receipt.name, party=by, allowed=allowed)
        return
    owed = gateway if by != gateway or timed_out else message.source
    if receipt.envelope.recipient != owed:
        found.add("receipt_to_other_party", receipt.name, party=receipt.envelope.recipient)


def _check_form(receipt: Paper, said: Said, message: Fact, contents: Contents, found: Conclusions) -> None:
    envelope = receipt.envelope
    if envelope.type != f"receipt.{said.rung.value}":
        found.add("receipt_type_other", receipt.name, type=envelope.type)
    if message.source == contents.gateway and envelope.subject not in (None, contents.referral_id):
        found.add("receipt_of_other_referral", receipt.name)
    if message.paper is not None and later_than(message.at, said.at):
        found.add("receipt_before_its_message", receipt.name)


def _check_rows(contents: Contents, facts: Facts, given: dict[tuple[str, Rung, bool], str], found: Conclusions) -> None:
    """A rung that a message is the evidence of counts like one that has a receipt."""
    for row in contents.rungs:
        message = facts.find(contents.gateway, row["message_id"])
        if message is None:
            continue
        key = (message.digest, row["rung"], ReceiptVerdict(row["verdict"]).is_positive)
        subject = f"{row['message_id']} {row['rung'].value}"
        if key in given:
            found.add("rung_told_twice", subject, other=given[key])
        given.setdefault(key, subject)
