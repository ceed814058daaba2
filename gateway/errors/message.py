"""报文之错 A bad message or question: the sender has to change something."""

from gateway.errors.base import ASK_THE_OPERATOR, Fault, XianjieError


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
    page_step = ("按所列错误改正后重新提交。", "Correct what is listed and submit again.")


class MalformedJson(MessageError):
    """Not UTF-8 JSON in the I-JSON subset (RFC 7493): duplicate key, NaN, lone surrogate, too deep, too large."""

    code = "malformed_json"
    status = 400
    title = ("JSON 格式不合格", "The JSON is not acceptable")
    next_step = (
        "按 RFC 7493 生成 JSON:无重复键、无 NaN、整数不超过 2^53-1、嵌套不超过 32 层。",
        "Produce RFC 7493 JSON: no duplicate keys, no NaN, integers within 2^53-1, depth at most 32.",
    )
    page_step = (
        "该文件不是合格的 JSON;请由原系统重新导出后上传,或改用模板填写。",
        "The file is no acceptable JSON: export it anew from where it comes from, or fill in the template.",
    )


class MalformedXml(MessageError):
    """The XML body is not well-formed, not safe (DTD, entities) or does not validate against the agency's XSD."""

    code = "malformed_xml"
    title = ("XML 格式不合格", "The XML is not acceptable")
    next_step = (
        "按随附 XSD 校验后重发;不得含 DTD 或实体。",
        "Validate against the shipped XSD and send again; no DTD, no entities.",
    )
    page_step = ASK_THE_OPERATOR


class SchemaInvalid(MessageError):
    """Fields are missing, unknown, of the wrong type or break a hard rule; `problems` lists every one."""

    code = "schema_invalid"
    title = ("字段校验未通过", "Some fields are not acceptable")


class RuleBlocked(MessageError):
    """A rule marked B in the rule table blocks the message; `problems` names rule and field."""

    code = "rule_blocked"
    title = ("业务规则阻断", "A rule blocks this message")
    next_step = ("补齐规则要求的内容后重发。", "Supply what the rule asks for and send again.")
    page_step = ("补齐规则要求的内容后重新提交。", "Supply what the rule asks for and submit again.")


class WrongRecipient(MessageError):
    """The message is addressed to another party."""

    code = "wrong_recipient"
    title = ("收件方不符", "The message is addressed to someone else")
    next_step = ("核对 recipient 后重发。", "Check `recipient` and send again.")
    page_step = (
        "核对该文件是否发给本网关;不是的,请交给应收的单位。",
        "See whether the file is meant for this gateway; else take it to whom it is meant for.",
    )


class StaleMessage(MessageError):
    """`expires_at` has passed, or `time` lies outside the accepted window."""

    code = "stale_message"
    title = ("报文已过期或时间超前", "The message has expired or comes from the future")
    next_step = ("校准时钟后重新签发报文。", "Correct the clock and issue the message anew.")
    page_step = ("请制作该文件的单位重新制作。", "Have whoever made the file make it anew.")


class SameIdDifferentBytes(MessageError):
    """The pair source+id was used before with other bytes (Law 2)."""

    code = "same_id_different_bytes"
    title = ("报文编号重复而内容不同", "This message id was used before with other bytes")
    next_step = ("重发须用原字节;新内容须用新编号。", "A resend must carry the same bytes; new content needs a new id.")
    page_step = (
        "该表单此前已提交,内容不同;请从列表查看,确需另报的重新打开表单填写。",
        "This form was submitted before with other content: look at its list; open it anew for something else.",
    )


class StillProcessing(MessageError):
    """The same message is being processed right now."""

    code = "still_processing"
    status = 409
    retryable = True
    title = ("同一报文正在处理", "This message is still being processed")
    next_step = ("稍后用同一字节重发。", "Send the same bytes again shortly.")
    page_step = ("正在办理;稍后刷新页面查看结果。", "It is under way: load the page again in a moment.")


class UnknownMessageType(MessageError):
    """The type is not one this version serves, or not one this kind of party may send."""

    code = "unknown_message_type"
    title = ("报文类型不支持", "This message type is not served")
    next_step = ("核对 type 与本方身份是否匹配。", "Check `type` and that your kind of party may send it.")
    page_step = ("请从本单位的页面办理。", "Use the pages of your own court or agency.")


class ReferralIdTaken(MessageError):
    """The referral id exists already; ids are unique for ever."""

    code = "referral_id_taken"
    title = ("移送编号已被使用", "This referral id is taken")
    next_step = (
        "换用新的移送编号(建议 UUID);已报送的移送,可更正的栏目请报送更正,其余先撤回再用新编号报送。",
        "Use a new referral id (a UUID is best); amend what may be amended, else withdraw the first and send it anew.",
    )
    page_step = (
        "换用新的移送编号;修改已报送的移送请先撤回再报送。",
        "Use another referral id; to change a referral withdraw it and send it anew.",
    )


class ReferralUnknown(MessageError):
    """No such referral of this party; the answer for a stranger's referral is the same."""

    code = "referral_unknown"
    status = 404
    title = ("无此移送", "No such referral")
    next_step = ("核对移送编号。", "Check the referral id.")


class InquiryUnknown(MessageError):
    """The answer names no question that was put to this party; the answer for a stranger's is the same."""

    code = "inquiry_unknown"
    status = 404
    title = ("无此协查", "No such inquiry")
    next_step = (
        "答复须引用本单位收到的协查报文编号与摘要。",
        "Answer the forwarded inquiry: name its message id and digest.",
    )
    page_step = (
        "从“催办与其他来件”重新打开该协查再答复。",
        "Open the inquiry again from the list of letters and answer it there.",
    )


class ClueUnknown(MessageError):
    """No such clue was forwarded to this court; the answer for another's is the same."""

    code = "clue_unknown"
    status = 404
    title = ("无此线索", "No such clue")
    next_step = ("核对线索编号。", "Check the clue id.")


class NoticeUnknown(MessageError):
    """What was to be taken out of the mailbox was never sent to this party, or has another digest."""

    code = "notice_unknown"
    status = 404
    title = ("无此报文", "No such message")
    next_step = ("引用收到的报文编号与摘要。", "Name the id and the digest of the message that was received.")
    page_step = ("从来件列表重新打开。", "Open it again from its list.")


class ReservationUnknown(MessageError):
    """No such reservation, or no such need, of this party; the answer for a stranger's is the same."""

    code = "reservation_unknown"
    status = 404
    title = ("无此占位或需求", "No such reservation or need")
    next_step = (
        "核对占位编号;占位只能针对已转办给本单位的需求。",
        "Check the id; a need can be reserved only by the office it was handed to.",
    )


class MatchUnknown(MessageError):
    """No such match, or not this party's side of it; the answer for a stranger's is the same."""

    code = "match_unknown"
    status = 404
    title = ("无此匹配复核", "No such match")
    next_step = (
        "按通知中的复核编号、本方代号和本方移送编号填写。",
        "Name the match, the side and your own referral as the notice did.",
    )
    page_step = ("从列表重新打开该匹配复核。", "Open the match again from its list.")


class StatementUnknown(MessageError):
    """No such statement of this party; the answer for a stranger's is the same."""

    code = "statement_unknown"
    status = 404
    title = ("无此对账单", "No such statement")
    next_step = ("先报送已签名的对账单首部,再传明细。", "Send the signed manifest first, then its lines.")
    page_step = (
        "从对账单列表重新打开;列表中没有的,请重新上传。",
        "Open it again from the list of statements; upload it anew where it is not there.",
    )


class StatementMisplaced(MessageError):
    """A piece of a statement's file does not begin where the last one ended; `received` says where that is."""

    code = "statement_misplaced"
    status = 409
    title = ("明细续传位置不符", "This piece does not begin where the last one ended")
    next_step = ("查询已收字节数,从该处续传。", "Ask how many bytes are there and go on from there.")
    page_step = (
        "重新上传整个文件;已收到的部分不会重复。",
        "Upload the whole file again; what is here is not taken twice.",
    )


class StatementDiffers(MessageError):
    """The file is not the one the signed manifest names, by length or by SHA-256; nothing of it was used."""

    code = "statement_differs"
    title = ("明细与签名首部不符", "The lines are not the file that the signed manifest names")
    next_step = (
        "整份明细未被采用;请重传签名首部所指的原文件,或另报一份对账单。",
        "Nothing of it was used; send the very file that was signed for, or submit another statement.",
    )
    page_step = (
        "整份明细未被采用;请上传当初报送的原文件,或另报一份对账单。",
        "Nothing of it was used: upload the very file that was sent first, or send another statement.",
    )


class IllegalMove(MessageError):
    """The lifecycle table has no such move (e.g. withdrawing a closed referral)."""

    code = "illegal_move"
    status = 409
    title = ("当前状态不允许此操作", "The present state does not allow this")
    next_step = ("先查询最新状态。", "Ask for the present state first.")
    page_step = ("刷新页面查看最新状态。", "Load the page again: it shows the present state.")


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
    page_step = ("补充理由代码和文字后重新提交。", "Add the reason code and text and submit again.")


class NotJose(MessageError):
    """The body is not one compact JWS or JWE."""

    code = "not_jose"
    status = 400
    title = ("不是紧凑 JWS", "The body is not a compact JWS")
    next_step = (
        "请求体应为一个紧凑 JWS,Content-Type: application/jose。",
        "Send one compact JWS with Content-Type: application/jose.",
    )
    page_step = ASK_THE_OPERATOR


class TooLarge(MessageError):
    """Body or attachment list above the limit."""

    code = "too_large"
    status = 413
    title = ("报文过大", "The message is too large")
    next_step = ("正文不超过 256 KiB;附件只传摘要。", "Keep the body within 256 KiB; send attachments by digest.")
    page_step = (
        "请缩减内容,或拆分文件后分次提交。",
        "Make it shorter, or split the file and submit the parts one by one.",
    )


class UnsupportedMediaType(MessageError):
    """Wrong Content-Type."""

    code = "unsupported_media_type"
    status = 415
    title = ("内容类型不支持", "This content type is not served")
    next_step = ("使用 application/jose 或 application/x-ndjson。", "Use application/jose or application/x-ndjson.")
    page_step = ("请使用页面上的表单提交。", "Use the form on the page.")


class InvalidQuery(MessageError):
    """A query parameter is missing or malformed."""

    code = "invalid_query"
    status = 400
    title = ("查询参数不合格", "A query parameter is not acceptable")
    next_step = ("按接口文档改正参数。", "Correct the parameter as the API document says.")
    page_step = (
        "改正所列条件,或从页面上的链接和筛选重新进入。",
        "Correct what is listed, or come again by the page's own links and filters.",
    )


class NotFound(MessageError):
    """No such address."""

    code = "not_found"
    status = 404
    title = ("无此地址", "No such address")
    next_step = ("见 /docs。", "See /docs.")
    page_step = ("核对地址,或从首页重新进入。", "Check the address, or begin at the first page.")


class MethodNotAllowed(MessageError):
    """The address exists, the method does not."""

    code = "method_not_allowed"
    status = 405
    title = ("方法不允许", "This method is not allowed here")
    next_step = ("见 /docs。", "See /docs.")
    page_step = ("从页面上的链接或按钮重新进入。", "Come again by a link or a button of a page.")


class FileUnreadable(MessageError):
    """A file given to a command is not JSON, NDJSON or XLSX of the template's shape."""

    code = "file_unreadable"
    title = ("文件无法读取", "The file cannot be read")
    next_step = (
        "用 xianjie send --template 生成模板并按模板填写。",
        "Make a template with `xianjie send --template` and fill that in.",
    )
    page_step = (
        "下载页面上的模板或表格,按其填写后重新上传。",
        "Download the template or sheet this page gives, fill that in and upload it.",
    )


class CheckpointInvalid(MessageError):
    """A signed note is no checkpoint of the expected log, or a signature on it is wrong; the note is the reason."""

    code = "checkpoint_invalid"
    title = ("检查点不可信", "The checkpoint cannot be believed")
    next_step = (
        "核对日志名称、公钥和签名行;检查点须逐字节原样传递。",
        "Check the log's name, its public key and the signature lines; pass checkpoints on byte for byte.",
    )
    page_step = ASK_THE_OPERATOR


class StickRefused(MessageError):
    """A stick is damaged, forged, for another or older than one that was read; `problems` says which and what to do."""

    code = "stick_refused"
    title = ("离线介质不可用", "The stick cannot be used")
    next_step = (
        "介质中的内容均未采用;按所列原因处理,或请制作方重新制作。",
        "Nothing of it was used; do as the reason says, or have its maker make it anew.",
    )
