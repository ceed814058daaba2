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


class NotSignedIn(XianjieError):
    """A page was asked for by nobody who is signed in, or whose session is over."""

    code = "not_signed_in"
    status = 401
    fault = Fault.SENDER
    title = ("尚未登录或会话已结束", "Not signed in, or the session is over")
    next_step = ("请登录。", "Sign in.")


class SignInRefused(XianjieError):
    """Name, password or code is wrong, or the account is locked or disabled: one answer for all of them."""

    code = "sign_in_refused"
    status = 401
    fault = Fault.SENDER
    title = ("登录未成功", "Signing in did not succeed")
    next_step = (
        "核对账号、密码和动态口令;连续多次失败会锁定一段时间,请稍后再试或联系系统管理员。",
        "Check name, password and code; after several failures the account is locked for a while: wait or ask the "
        "system administrator.",
    )


class FormExpired(XianjieError):
    """A form came without this session's own token: an old page, or another site's."""

    code = "form_expired"
    status = 403
    fault = Fault.SENDER
    title = ("表单已失效", "The form has expired")
    next_step = ("刷新页面后重新提交,内容未被保存。", "Load the page again and submit once more; nothing was saved.")


class NotConfirmed(XianjieError):
    """A dangerous act needs the password again."""

    code = "not_confirmed"
    status = 403
    fault = Fault.SENDER
    title = ("需要再次输入密码", "The password is needed again")
    next_step = ("在该表单中重新输入密码。", "Enter your password again in that form.")


class SecondPersonNeeded(XianjieError):
    """Somebody else has to grant this first."""

    code = "second_person_needed"
    status = 409
    fault = Fault.SENDER
    title = ("需要第二人审批", "A second person has to approve")
    next_step = (
        "先提交申请,由另一名有权人员批准后再办理;不能批准自己的申请。",
        "Ask for it first; another person with the right approves it. Nobody approves what he asked for himself.",
    )
