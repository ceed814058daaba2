"""存证核对结论 What a walk over the whole log has shown, in plain words: what holds, what is wrong, what stays open.

Words are Chinese and English and hold numbers only. An honest verdict says as well what no walk can show: rows that
somebody rewrote who could also sign are seen only from outside.
"""

from dataclasses import dataclass

from gateway.flows.log_walk import LogTrouble, TroubleKind

Words = tuple[str, str]
"""Chinese, English."""

_WORDS: dict[TroubleKind, Words] = {
    TroubleKind.LEAF_MISSING: ("{leaves}缺失", "{leaves} missing"),
    TroubleKind.LEAF_ALTERED: ("{leaves}的内容与其哈希不符", "{leaves}: the text is not the one that was hashed"),
    TroubleKind.LEAF_MISLABELLED: (
        "{leaves}的检索列与内容不符",
        "{leaves}: text and columns say different things",
    ),
    TroubleKind.LEAF_REPLACED: (
        "{leaves}中至少一条连同哈希被替换(其后的签名根可证)",
        "{leaves}: at least one was replaced together with its hash, as a root signed later shows",
    ),
    TroubleKind.LEAF_BEYOND: ("{leaves}在日志末尾之外", "{leaves} beyond the end of the log"),
    TroubleKind.NODE_DIFFERS: ("{leaves}之上的节点被改", "{leaves}: the node stored over them was changed"),
    TroubleKind.TILE_DIFFERS: (
        "{leaves}与其上的节点不符,无签名根可判定哪一方被改",
        "{leaves} do not lead to the node stored over them, and no signed root tells which was changed",
    ),
    TroubleKind.HEAD_DIFFERS: (
        "按各条重算的根与日志头({first} 条)不符",
        "the root made from the leaves is not the head's (of {first} leaves)",
    ),
    TroubleKind.CHECKPOINT_DIFFERS: (
        "{sizes}的检查点所签的根与存证内容不符",
        "{sizes}: the root that was signed is not the root of these leaves",
    ),
    TroubleKind.CHECKPOINT_BEYOND: (
        "{sizes}的检查点比日志更长:日志被截短",
        "{sizes}: more leaves were signed than there are; the log was cut short",
    ),
    TroubleKind.CHECKPOINT_UNSIGNED: (
        "{sizes}的检查点签名无效",
        "{sizes}: the signature is not this log's, or is over something else",
    ),
    TroubleKind.CHECKPOINT_UNPROVABLE: (
        "{sizes}的检查点因缺条而无法重算",
        "{sizes}: cannot be made again, since leaves are missing before",
    ),
    TroubleKind.WITNESS_DIFFERS: (
        "数据库外保存的检查点({first} 条)与本库不符:本库被替换、回退或改动",
        "the checkpoint kept outside the database (of {first} leaves) is not met: this database was replaced, "
        "set back or changed",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LogVerdict:
    """存证核对结论. checkpoints: how many were met with or without trouble; signatures: how many of theirs were checked
    and right; proven: the largest size at which a signed root was met; unlisted: troubles beyond those listed; begin:
    the first leaf that was read, more than 0 where only the last part was."""

    origin: str
    size: int
    root: bytes
    checkpoints: int
    signatures: int
    proven: int | None
    has_key: bool
    has_witness: bool
    troubles: tuple[LogTrouble, ...]
    unlisted: int
    begin: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.troubles

    def sentences(self) -> list[Words]:
        """What is shown, then what is wrong line by line, then what stays open."""
        return [*self._shown(), *self._wrong(), *self._open()]

    def _shown(self) -> list[Words]:
        found = [
            (
                f"日志 {self.origin}:{self.size} 条,逐条重读并重算哈希",
                f"Log {self.origin}: {self.size} leaves, each read again and hashed again",
            )
        ]
        if self.begin:
            read = self.size - self.begin
            found = [
                (
                    f"日志 {self.origin}:共 {self.size} 条,只逐条重读并重算末尾 {read} 条;"
                    f"前 {self.begin} 条以其上的节点计入,未逐条重读",
                    f"Log {self.origin}: of {self.size} leaves the last {read} were read again and hashed again; "
                    f"the first {self.begin} were taken as the nodes stored over them say, and not read",
                )
            ]
        if self.holds:
            root = self.root.hex()
            found.append(
                (
                    f"没有一条缺失、改动或顺序不对;根为 {root}",
                    f"None is missing, changed or out of order; the root is {root}",
                )
            )
        if self.proven is not None:
            found.append(
                (
                    f"前 {self.proven} 条与已签名的检查点一致(共核对检查点 {self.checkpoints} 个)",
                    f"The first {self.proven} are what a signed checkpoint says ({self.checkpoints} compared)",
                )
            )
        return found

    def _wrong(self) -> list[Words]:
        found = [words_of(trouble) for trouble in self.troubles]
        if self.unlisted:
            found.append((f"另有 {self.unlisted} 处未列出", f"{self.unlisted} more are not listed"))
        return found

    def _open(self) -> list[Words]:
        found: list[Words] = []
        behind = self.size - (self.proven or 0)
        if self.holds and behind:
            found.append(
                (
                    f"末尾 {behind} 条尚无检查点",
                    f"The last {behind} are not covered by a checkpoint yet",
                )
            )
        if not self.has_key:
            found.append(("未核对签名:此处没有日志密钥", "No signature was checked: the log's key is not here"))
        if not self.has_witness:
            found.append(
                (
                    "未与数据库外的检查点比对;整库回退须由其或由各方回执发现",
                    "Not compared with a checkpoint kept outside the database; a database set back as a whole shows "
                    "only there, or in partners' receipts",
                )
            )
        return found


def words_of(trouble: LogTrouble) -> Words:
    """One trouble, in Chinese and English."""
    first, last = trouble.first, trouble.last
    many = first != last
    zh, en = _WORDS[trouble.kind]
    leaves = (f"第 {first}–{last} 条", f"leaves {first} to {last}") if many else (f"第 {first} 条", f"leaf {first}")
    sizes = (f"{first} 至 {last} 条", f"sizes {first} to {last}") if many else (f"{first} 条", f"size {first}")
    return zh.format(leaves=leaves[0], sizes=sizes[0], first=first), en.format(
        leaves=leaves[1], sizes=sizes[1], first=first
    )
