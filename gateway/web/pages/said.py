"""办结提示 What a page says after a form was taken. Codes only travel in the address; each module adds its own."""

_SAID: dict[str, tuple[str, str]] = {
    "signed_out": ("已退出登录。", "You are signed out."),
    "password_changed": ("密码已修改。", "The password was changed."),
    "codes_set_up": ("动态口令已启用。", "One-time codes are set up."),
    "saved": ("已保存。", "Saved."),
}


def tells(code: str, zh: str, en: str) -> str:
    """Declares a sentence; its code. `{n}` stands for a count given beside it."""
    if _SAID.setdefault(code, (zh, en)) != (zh, en):
        raise ValueError(f"{code} says two things")
    return code


def sentence(code: str | None, count: str | None) -> tuple[str, str] | None:
    """The sentence of a code that somebody's address holds; None for a code nobody declared."""
    found = _SAID.get(code or "")
    number = count if count and count.isascii() and count.isdigit() and len(count) < 9 else ""
    return None if found is None else (found[0].replace("{n}", number), found[1].replace("{n}", number))
