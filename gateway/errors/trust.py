"""信任之错 Trust: all answer alike, the log alone knows which."""

from gateway.errors.base import Fault, XianjieError


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
