"""自身之错 Ourselves and our operator: load, database, keys, configuration."""

from gateway.errors.base import ASK_THE_OPERATOR, Fault, XianjieError


class Busy(XianjieError):
    """Too much work queued; nothing was accepted."""

    code = "busy"
    status = 503
    retryable = True
    title = ("系统繁忙", "The gateway is busy")
    next_step = ("按 Retry-After 稍后用同一字节重发。", "Send the same bytes again after Retry-After.")
    page_step = ("稍后再试;未保存任何内容。", "Try again in a moment; nothing was saved.")


class SignInsBusy(Busy):
    """More passwords are being checked at once than this node gives time to; none was looked at."""

    code = "sign_ins_busy"
    title = ("登录请求过多", "Too many sign in at once")
    next_step = ("几秒后再试;密码未被核对。", "Try again in a few seconds; your password was not looked at.")


class StoreUnavailable(XianjieError):
    """The database does not answer or refuses the commit; nothing was accepted."""

    code = "store_unavailable"
    status = 503
    retryable = True
    title = ("数据库不可用", "The database is unavailable")
    next_step = ("按 Retry-After 稍后用同一字节重发。", "Send the same bytes again after Retry-After.")
    page_step = (
        "稍后再试;未保存任何内容。如持续出现,请联系网关运维人员。",
        "Try again in a moment; nothing was saved. If it persists, ask the gateway's operator.",
    )


class InRecovery(XianjieError):
    """The database is older than what the gateway has signed (a restored copy): nothing is signed now."""

    code = "in_recovery"
    status = 503
    fault = Fault.OPERATOR
    retryable = True
    title = ("网关恢复中", "The gateway is in recovery")
    next_step = (
        "报送方:先运行 xianjie give-back 交还已有回执的报文,再按 Retry-After 用同一字节重发。"
        "运维:运行 xianjie recovery status。",
        "Sender: run `xianjie give-back`, then send the same bytes again after Retry-After. "
        "Operator: run `xianjie recovery status`.",
    )
    page_step = (
        "网关正在恢复数据,暂不受理;未保存任何内容,请稍后再试或联系网关运维人员。",
        "The gateway takes back what it lost; nothing was saved. Try again later, or ask its operator.",
    )


class NotInRecovery(XianjieError):
    """The gateway never lost anything that it signed, so there is nothing to take back or to resume."""

    code = "not_in_recovery"
    status = 409
    fault = Fault.SENDER
    title = ("网关未处于恢复状态", "The gateway is not in recovery")
    next_step = ("无需交还或恢复。", "There is nothing to give back and nothing to resume.")


class RecoveryIncomplete(XianjieError):
    """Something the gateway had signed is not back yet; `problems` names the parties, numbers and messages."""

    code = "recovery_incomplete"
    status = 409
    fault = Fault.OPERATOR
    title = ("取回尚不完整", "Not everything has come back")
    next_step = (
        "催请所列单位交还;确实无法取回的,附理由使用 --accept-gaps。",
        "Ask the parties named to give back; what cannot come back is accepted with --accept-gaps and a reason.",
    )
    page_step = ASK_THE_OPERATOR


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
    page_step = (
        "内容已不可恢复;新情况请另报新的移送。",
        "The content cannot be restored; report what is new as a new referral.",
    )


class StillRetained(XianjieError):
    """Records must be kept for longer (rule P08); the note says until when."""

    code = "still_retained"
    status = 409
    fault = Fault.OPERATOR
    title = ("留存期限未满", "The records must still be kept")
    next_step = (
        "期满后再清除;有法院裁定的,以 --court-order 注明文号。",
        "Erase it when the term has ended; where a court orders it, name the order with --court-order.",
    )
    page_step = (
        "期满后再清除;有法院裁定的,请交网关运维人员办理。",
        "Erase it when the term has ended; take a court's order to the gateway's operator.",
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
    page_step = ASK_THE_OPERATOR


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
    page_step = (
        "稍后重试;如持续出现,请联系网关运维人员。",
        "Try again in a moment; if it persists, ask the gateway's operator.",
    )


class EvidenceDamaged(XianjieError):
    """Rows of the log or of the case are missing or unreadable, so no bundle can be made; an operator must look."""

    code = "evidence_damaged"
    title = ("存证数据缺损", "The stored evidence is damaged")
    next_step = (
        "运行 xianjie verify --log 查明缺损之处。",
        "Run `xianjie verify --log`; it names what is missing or altered.",
    )
    page_step = ASK_THE_OPERATOR


class EvidenceTooLarge(XianjieError):
    """The evidence of one referral is more than a bundle may hold."""

    code = "evidence_too_large"
    title = ("证据包超出上限", "The evidence is larger than a bundle may be")
    next_step = ASK_THE_OPERATOR


class ConfigError(XianjieError):
    """Configuration, profile, office or key file is missing or wrong."""

    code = "config_invalid"
    fault = Fault.OPERATOR
    title = ("配置有误", "The configuration is wrong")
    next_step = (
        "按提示修改配置后重试;可运行 xianjie doctor。",
        "Mend the configuration as told; `xianjie doctor` helps.",
    )
    page_step = (
        "按提示处理;不能处理的,请联系网关运维人员。",
        "Do as told; where you cannot, ask the gateway's operator.",
    )


class InputRefused(ConfigError):
    """What a person entered cannot be done so; the note says why, in Chinese and English."""

    code = "input_refused"
    status = 400
    fault = Fault.SENDER
    title = ("填写的内容不能办理", "What was entered cannot be done")
    next_step = ("按提示修改后重新提交;未保存任何内容。", "Correct it as told and submit again; nothing was saved.")


class CalendarUnpublished(XianjieError):
    """The State Council's holiday notice for that year is not loaded; no working day is guessed."""

    code = "calendar_unpublished"
    fault = Fault.OPERATOR
    title = ("该年度放假安排未载入", "The holiday notice for that year is not loaded")
    next_step = (
        "用 `xianjie calendar load` 载入国务院办公厅放假通知后重试。",
        "Load the State Council's holiday notice with `xianjie calendar load` and try again.",
    )
    page_step = (
        "请网关运维人员载入国务院办公厅该年度放假通知,之后重试。",
        "Ask the gateway's operator to load the State Council's holiday notice for that year, then try again.",
    )


class MissingExtra(XianjieError):
    """An optional library is not installed."""

    code = "missing_extra"
    fault = Fault.OPERATOR
    title = ("缺少可选组件", "An optional component is not installed")
    next_step = ("按提示安装对应扩展。", "Install the extra named in the message.")
    page_step = (
        "改用其他格式,或请网关运维人员安装该组件。",
        "Choose another format, or ask the gateway's operator to install it.",
    )


class ExampleKeyRefused(XianjieError):
    """A key shipped in keys_example/ is used outside demo and tests."""

    code = "example_key_refused"
    fault = Fault.OPERATOR
    title = ("示例密钥不得用于正式环境", "Example keys are refused outside demo and tests")
    next_step = ("用 xianjie keys generate 生成正式密钥。", "Make real keys with `xianjie keys generate`.")
    page_step = (
        "请该单位自行生成正式密钥,再登记其公钥。",
        "Have the party make a real key of its own, then register that.",
    )
