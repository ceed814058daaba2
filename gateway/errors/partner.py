"""对方之错 The other side: what a partner answered, or that it did not."""

from gateway.errors.base import Fault, XianjieError


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
    page_step = (
        "稍后重新核对;仍不符的,请联系网关运维人员。",
        "Compare again later; if it persists, ask the gateway's operator.",
    )


class PartnerUnreachable(XianjieError):
    """No connection, a time-out or a broken answer: the outcome is unknown and the same bytes go again."""

    code = "partner_unreachable"
    status = 503
    fault = Fault.RECEIVER
    retryable = True
    title = ("对方系统不可达", "The partner cannot be reached")
    next_step = ("稍后用同一字节重发。", "Send the same bytes again later.")
    page_step = (
        "稍后再试;如持续出现,请联系网关运维人员。",
        "Try again later; if it persists, ask the gateway's operator.",
    )


class AddressRefused(XianjieError):
    """The partner's URL resolves to an address that is not allowed (private range, redirect, not http/https)."""

    code = "address_refused"
    status = 403
    fault = Fault.OPERATOR
    title = ("对方地址不被允许", "The partner's address is not allowed")
    next_step = ("由管理员核对地址或加入允许列表。", "An administrator must check the address or allow-list it.")
