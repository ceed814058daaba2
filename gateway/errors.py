"""错误 Every way Xianjie says "no" to a message or a command, with its code, whose fault it is and what to do.

Rules: one class per code; the code never changes once published; a class knows its HTTP status, its fault and whether a
retry helps. Texts are Chinese and English and never carry a person's data: an error may hold ids, codes, pointers and
counts only. Discrepancies between parties are not errors but findings (`domain.reconciliation`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Fault(StrEnum):
    """Whose mistake an error is; decides who has to act."""

    SENDER = "sender"
    RECEIVER = "receiver"
    GATEWAY = "gateway"
    OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One field that cannot be accepted (or only with a warning).

    pointer: RFC 6901 JSON pointer from the root of the message's payload (`/data/person/name`); code: a row of
    `domain/rules/field_codes.csv`.
    The offending value itself is deliberately absent.
    """

    pointer: str
    code: str


class XianjieError(Exception):
    """Base of every error; `code` is stable, texts are (Chinese, English)."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    fault: ClassVar[Fault] = Fault.GATEWAY
    retryable: ClassVar[bool] = False
    title: ClassVar[tuple[str, str]] = ("内部错误", "Internal error")
    next_step: ClassVar[tuple[str, str]] = (
        "请稍后重试;如持续出现,请把编号告知运维人员。",
        "Try again later; if it persists, give the reference to the operator.",
    )

    def __init__(
        self,
        note: str = "",
        *,
        problems: Iterable[FieldProblem] = (),
        ids: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        """note: a short reason made of ids and codes only; ids: what a log line or a problem document may name."""
        super().__init__(note or self.title[1])
        self.note = note
        self.problems = tuple(problems)
        self.ids = dict(ids or {})
        self.retry_after = retry_after


# --- a bad message: the sender has to change something ---


class MessageError(XianjieError):
    """The message was understood to be from a party but cannot be accepted."""

    code = "message_invalid"
    status = 422
    fault = Fault.SENDER
    title = ("报文不合格", "The message cannot be accepted")
    next_step = (
        "按错误列表改正后用新的报文编号重发。",
        "Correct the listed errors and send again under a new message id.",
    )


class MalformedJson(MessageError):
    """Not UTF-8 JSON in the I-JSON subset (RFC 7493): duplicate key, NaN, lone surrogate, too deep, too large."""

    code = "malformed_json"
    status = 400
    title = ("JSON 格式不合格", "The JSON is not acceptable")
    next_step = (
        "按 RFC 7493 生成 JSON:无重复键、无 NaN、整数不超过 2^53-1、嵌套不超过 32 层。",
        "Produce RFC 7493 JSON: no duplicate keys, no NaN, integers within 2^53-1, depth at most 32.",
    )


class MalformedXml(MessageError):
    """The XML body is not well-formed, not safe (DTD, entities) or does not validate against the agency's XSD."""

    code = "malformed_xml"
    title = ("XML 格式不合格", "The XML is not acceptable")
    next_step = (
        "按随附 XSD 校验后重发;不得含 DTD 或实体。",
        "Validate against the shipped XSD and send again; no DTD, no entities.",
    )


class SchemaInvalid(MessageError):
    """Fields are missing, unknown, of the wrong type or break a hard rule; `problems` lists every one."""

    code = "schema_invalid"
    title = ("字段校验未通过", "Some fields are not acceptable")


class RuleBlocked(MessageError):
    """A rule marked B in the rule table blocks the message; `problems` names rule and field."""

    code = "rule_blocked"
    title = ("业务规则阻断", "A rule blocks this message")
    next_step = ("补齐规则要求的内容后重发。", "Supply what the rule asks for and send again.")


class WrongRecipient(MessageError):
    """The message is addressed to another party."""

    code = "wrong_recipient"
    title = ("收件方不符", "The message is addressed to someone else")
    next_step = ("核对 recipient 后重发。", "Check `recipient` and send again.")


class StaleMessage(MessageError):
    """`expires_at` has passed, or `time` lies outside the accepted window."""

    code = "stale_message"
    title = ("报文已过期或时间超前", "The message has expired or comes from the future")
    next_step = ("校准时钟后重新签发报文。", "Correct the clock and issue the message anew.")


class SameIdDifferentBytes(MessageError):
    """The pair source+id was used before with other bytes (Law 2)."""

    code = "same_id_different_bytes"
    title = ("报文编号重复而内容不同", "This message id was used before with other bytes")
    next_step = ("重发须用原字节;新内容须用新编号。", "A resend must carry the same bytes; new content needs a new id.")


class StillProcessing(MessageError):
    """The same message is being processed right now."""

    code = "still_processing"
    status = 409
    retryable = True
    title = ("同一报文正在处理", "This message is still being processed")
    next_step = ("稍后用同一字节重发。", "Send the same bytes again shortly.")


class UnknownMessageType(MessageError):
    """The type is not one this version serves, or not one this kind of party may send."""

    code = "unknown_message_type"
    title = ("报文类型不支持", "This message type is not served")
    next_step = ("核对 type 与本方身份是否匹配。", "Check `type` and that your kind of party may send it.")


class ReferralIdTaken(MessageError):
    """The referral id exists already; ids are unique for ever."""

    code = "referral_id_taken"
    title = ("移送编号已被使用", "This referral id is taken")
    next_step = (
        "换用新的移送编号(建议 UUID);修改已报送的移送请先撤回再用新编号报送。",
        "Use a new referral id (a UUID is best); to change a referral withdraw it and send it anew.",
    )


class ReferralUnknown(MessageError):
    """No such referral of this party; the answer for a stranger's referral is the same."""

    code = "referral_unknown"
    status = 404
    title = ("无此移送", "No such referral")
    next_step = ("核对移送编号。", "Check the referral id.")


class IllegalMove(MessageError):
    """The lifecycle table has no such move (e.g. withdrawing a closed referral)."""

    code = "illegal_move"
    status = 409
    title = ("当前状态不允许此操作", "The present state does not allow this")
    next_step = ("先查询最新状态。", "Ask for the present state first.")


class AgreementUnknown(MessageError):
    """The agreement document is not loaded, not valid at that time, or does not name this party or programme."""

    code = "agreement_unknown"
    title = ("会签文件无效", "The agreement document does not cover this")
    next_step = (
        "核对会签文件文号、有效期和参与单位。",
        "Check the document number, its validity and the parties it names.",
    )


class DeniedWithoutReason(MessageError):
    """DENIED must carry a reason code and written text (rule R09)."""

    code = "denied_without_reason"
    title = ("不予救助未附书面理由", "A denial must give written reasons")
    next_step = ("补充理由代码和文字后用新编号重发。", "Add the reason code and text and send under a new id.")


class NotJose(MessageError):
    """The body is not one compact JWS or JWE."""

    code = "not_jose"
    status = 400
    title = ("不是紧凑 JWS", "The body is not a compact JWS")
    next_step = (
        "请求体应为一个紧凑 JWS,Content-Type: application/jose。",
        "Send one compact JWS with Content-Type: application/jose.",
    )


class TooLarge(MessageError):
    """Body or attachment list above the limit."""

    code = "too_large"
    status = 413
    title = ("报文过大", "The message is too large")
    next_step = ("正文不超过 256 KiB;附件只传摘要。", "Keep the body within 256 KiB; send attachments by digest.")


class UnsupportedMediaType(MessageError):
    """Wrong Content-Type."""

    code = "unsupported_media_type"
    status = 415
    title = ("内容类型不支持", "This content type is not served")
    next_step = ("使用 application/jose 或 application/x-ndjson。", "Use application/jose or application/x-ndjson.")


class InvalidQuery(MessageError):
    """A query parameter is missing or malformed."""

    code = "invalid_query"
    status = 400
    title = ("查询参数不合格", "A query parameter is not acceptable")
    next_step = ("按接口文档改正参数。", "Correct the parameter as the API document says.")


class NotFound(MessageError):
    """No such address."""

    code = "not_found"
    status = 404
    title = ("无此地址", "No such address")
    next_step = ("见 /docs。", "See /docs.")


class MethodNotAllowed(MessageError):
    """The address exists, the method does not."""

    code = "method_not_allowed"
    status = 405
    title = ("方法不允许", "This method is not allowed here")
    next_step = ("见 /docs。", "See /docs.")


class FileUnreadable(MessageError):
    """A file given to a command is not JSON, NDJSON or XLSX of the template's shape."""

    code = "file_unreadable"
    title = ("文件无法读取", "The file cannot be read")
    next_step = (
        "用 xianjie send --template 生成模板并按模板填写。",
        "Make a template with `xianjie send --template` and fill that in.",
    )


class CheckpointInvalid(MessageError):
    """A signed note is no checkpoint of the expected log, or a signature on it is wrong; the note is the reason."""

    code = "checkpoint_invalid"
    title = ("检查点不可信", "The checkpoint cannot be believed")
    next_step = (
        "核对日志名称、公钥和签名行;检查点须逐字节原样传递。",
        "Check the log's name, its public key and the signature lines; pass checkpoints on byte for byte.",
    )


class StickRefused(MessageError):
    """A stick is damaged, forged, for another or older than one that was read; `problems` says which and what to do."""

    code = "stick_refused"
    title = ("离线介质不可用", "The stick cannot be used")
    next_step = (
        "介质中的内容均未采用;按所列原因处理,或请制作方重新制作。",
        "Nothing of it was used; do as the reason says, or have its maker make it anew.",
    )


# --- trust: all answer alike, the log alone knows which ---


class TrustError(XianjieError):
    """Signature, key or identity not proven. To the outside every trust failure is this one answer."""

    code = "not_trusted"
    status = 401
    fault = Fault.SENDER
    title = ("身份或签名未能证实", "Identity or signature could not be proven")
    next_step = (
        "核对密钥编号、有效期和签名内容;仍不行请联系管理员。",
        "Check key id, validity and what was signed; else contact the administrator.",
    )


class Forbidden(XianjieError):
    """Proven, but not allowed to see or do this."""

    code = "forbidden"
    status = 403
    fault = Fault.SENDER
    title = ("无权操作", "Not allowed")
    next_step = ("由有权单位办理。", "Ask the party that may do this.")


# --- the other side ---


class ReceiptMismatch(XianjieError):
    """A partner's receipt does not name our message id and digest; it proves nothing."""

    code = "receipt_mismatch"
    status = 502
    fault = Fault.RECEIVER
    retryable = True
    title = ("回执与报文不对应", "The receipt does not belong to the message")


class BundleBroken(XianjieError):
    """The evidence bundle is not in the one form it can have; the note is the rule, `subject` the member."""

    code = "bundle_broken"
    status = 422
    fault = Fault.SENDER
    title = ("证据包不合格式", "The evidence bundle is not in its form")
    next_step = (
        "核对是否为网关给出的原文件,未经重新压缩;否则重新调取。",
        "Check that it is the very file the gateway gave, not packed again; else ask for it anew.",
    )


class CommitmentContradicted(XianjieError):
    """The gateway's answers about a pair's messages do not fit what it signed; they prove nothing."""

    code = "commitment_contradicted"
    status = 502
    fault = Fault.RECEIVER
    retryable = True
    title = ("对账应答与所签承诺不符", "The answers do not fit the signed commitment")
    next_step = (
        "稍后重新核对;仍不符的,请保存日志簿并联系管理员。",
        "Compare again later; if it persists, keep the journal and contact the administrator.",
    )


class PartnerUnreachable(XianjieError):
    """No connection, a time-out or a broken answer: the outcome is unknown and the same bytes go again."""

    code = "partner_unreachable"
    status = 503
    fault = Fault.RECEIVER
    retryable = True
    title = ("对方系统不可达", "The partner cannot be reached")
    next_step = ("稍后用同一字节重发。", "Send the same bytes again later.")


class AddressRefused(XianjieError):
    """The partner's URL resolves to an address that is not allowed (private range, redirect, not http/https)."""

    code = "address_refused"
    status = 403
    fault = Fault.OPERATOR
    title = ("对方地址不被允许", "The partner's address is not allowed")
    next_step = ("由管理员核对地址或加入允许列表。", "An administrator must check the address or allow-list it.")


# --- ourselves ---


class Busy(XianjieError):
    """Too much work queued; nothing was accepted."""

    code = "busy"
    status = 503
    retryable = True
    title = ("系统繁忙", "The gateway is busy")
    next_step = ("按 Retry-After 稍后用同一字节重发。", "Send the same bytes again after Retry-After.")


class StoreUnavailable(XianjieError):
    """The database does not answer or refuses the commit; nothing was accepted."""

    code = "store_unavailable"
    status = 503
    retryable = True
    title = ("数据库不可用", "The database is unavailable")
    next_step = ("按 Retry-After 稍后用同一字节重发。", "Send the same bytes again after Retry-After.")


class InRecovery(XianjieError):
    """The database is older than what the gateway has signed (a restored copy): nothing is signed until it is mended."""

    code = "in_recovery"
    status = 503
    fault = Fault.OPERATOR
    retryable = True
    title = ("网关恢复中", "The gateway is in recovery")
    next_step = (
        "报送方:按 Retry-After 稍后用同一字节重发。运维:运行 xianjie recovery status。",
        "Sender: send the same bytes again after Retry-After. Operator: run `xianjie recovery status`.",
    )


class LeaseLost(XianjieError):
    """Another worker holds the lease now; this one's late write is refused by its fencing token."""

    code = "lease_lost"
    title = ("租约已失效", "The lease was lost to another worker")
    retryable = True


class CaseErased(XianjieError):
    """The case's data was erased: its key is deleted, so nothing of it can be read, and nothing is added to it."""

    code = "case_erased"
    status = 410
    fault = Fault.OPERATOR
    title = ("该移送的数据已清除", "The data of this referral was erased")
    next_step = (
        "内容已不可恢复,摘要和日志仍可核验;新情况请用新的移送报送。",
        "The content cannot be restored, digests and log still verify; report what is new under a new referral.",
    )


class SealBroken(XianjieError):
    """A stored text does not open: somebody changed it or moved it in the database. The note names the column."""

    code = "seal_broken"
    fault = Fault.OPERATOR
    title = ("密封数据被改动", "Stored data was changed outside the gateway")
    next_step = (
        "核查谁改动了数据库;从备份恢复该行。",
        "Find out who changed the database, and restore the row from a copy.",
    )


class EvidenceNotReady(XianjieError):
    """No signed checkpoint covers the case yet; the sequencer signs one within seconds."""

    code = "evidence_not_ready"
    status = 503
    retryable = True
    title = ("存证检查点尚未生成", "The log has no checkpoint for this yet")
    next_step = (
        "稍后重试;如持续出现,请检查 xianjie work 是否运行。",
        "Try again in a moment; if it persists, see that `xianjie work` runs.",
    )


class EvidenceDamaged(XianjieError):
    """Rows of the log or of the case are missing or unreadable, so no bundle can be made; an operator must look."""

    code = "evidence_damaged"
    title = ("存证数据缺损", "The stored evidence is damaged")
    next_step = (
        "运行 xianjie verify --log 查明缺损之处。",
        "Run `xianjie verify --log`; it names what is missing or altered.",
    )


class EvidenceTooLarge(XianjieError):
    """The evidence of one referral is more than a bundle may hold."""

    code = "evidence_too_large"
    title = ("证据包超出上限", "The evidence is larger than a bundle may be")
    next_step = ("请联系网关运维人员。", "Ask the gateway's operator.")


class ConfigError(XianjieError):
    """Configuration, profile, office or key file is missing or wrong."""

    code = "config_invalid"
    fault = Fault.OPERATOR
    title = ("配置有误", "The configuration is wrong")
    next_step = (
        "按提示修改配置后重试;可运行 xianjie doctor。",
        "Mend the configuration as told; `xianjie doctor` helps.",
    )


class CalendarUnpublished(XianjieError):
    """The State Council's holiday notice for that year is not loaded; no working day is guessed."""

    code = "calendar_unpublished"
    fault = Fault.OPERATOR
    title = ("该年度放假安排未载入", "The holiday notice for that year is not loaded")
    next_step = ("载入国务院办公厅放假通知后重试。", "Load the State Council's holiday notice and try again.")


class MissingExtra(XianjieError):
    """An optional library is not installed."""

    code = "missing_extra"
    fault = Fault.OPERATOR
    title = ("缺少可选组件", "An optional component is not installed")
    next_step = ("按提示安装对应扩展。", "Install the extra named in the message.")


class ExampleKeyRefused(XianjieError):
    """A key shipped in keys_example/ is used outside demo and tests."""

    code = "example_key_refused"
    fault = Fault.OPERATOR
    title = ("示例密钥不得用于正式环境", "Example keys are refused outside demo and tests")
    next_step = ("用 xianjie keys generate 生成正式密钥。", "Make real keys with `xianjie keys generate`.")


def every_error() -> list[type[XianjieError]]:
    """All error classes, base first, each code once; `docs/errors.md` is generated from this."""
    found: list[type[XianjieError]] = []

    def walk(cls: type[XianjieError]) -> None:
        found.append(cls)
        for sub in cls.__subclasses__():
            walk(sub)

    walk(XianjieError)
    return sorted(found, key=lambda cls: (cls.status, cls.code))
