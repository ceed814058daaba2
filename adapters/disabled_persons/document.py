"""残联文档 XML in and out: read without trust, checked against the shipped XSD both ways.

Rules: no document type and no entity (refused before parsing), no network, no recovery, no comments or processing
instructions, at most 256 KiB; the encoding is what the text is, whatever its declaration says. An error names codes,
line numbers and element names of the XSD, never anything the sender wrote. The XSD is read once; a validator keeps its
last log, so one thread validates at a time.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from lxml import etree

from gateway.errors import FieldProblem, MalformedXml

NAMESPACE = "urn:xianjie:dp:1.0"
VERSION = "1.0"
BYTES_MAX = 256 * 1024
PROBLEM_LIMIT = 20
XSD = Path(__file__).with_name("xjdp-1.0.xsd")

REPEATED = frozenset({"Attachment", "Group", "Investigator", "Missing", "Need", "Result"})
"""Elements that may come several times: a pointer counts them."""

_DOCUMENT_TYPE = "<!DOCTYPE"
_PREFIXES: Any = {None: NAMESPACE}
_CODES = {
    "SCHEMAV_CVC_PATTERN_VALID": "pattern",
    "SCHEMAV_CVC_ENUMERATION_VALID": "unknown_code",
    "SCHEMAV_CVC_MINLENGTH_VALID": "too_short",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "too_long",
    "SCHEMAV_CVC_COMPLEX_TYPE_4": "required",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "unknown_field",
}


def read_document(text: Any, root: str) -> etree._Element:
    """The root element of a document that is valid against the XSD; MalformedXml for anything else."""
    element = _parsed(_octets(text))
    if element.tag != qualified(root):
        raise _refused("root element", [FieldProblem(pointer="", code="unknown_field")])
    problems = _shape().problems(element)
    if problems:
        raise _refused("not valid against the XSD", problems)
    return element


def write_document(root: etree._Element) -> str:
    """The text of a document we made. ValueError where it is not valid: then the mapping is wrong, not a message."""
    text = etree.tostring(root, encoding="unicode", pretty_print=True)
    problems = _shape().problems(_parsed(text.encode()))
    if problems:
        named = ", ".join(f"{problem.pointer} {problem.code}" for problem in problems)
        raise ValueError(f"the mapping makes no valid document: {named}")
    return text


def qualified(tag: str) -> str:
    """A tag of our namespace, as lxml writes it."""
    return f"{{{NAMESPACE}}}{tag}"


def local_name(element: etree._Element) -> str:
    """The tag without its namespace."""
    return etree.QName(element).localname


def new_root(tag: str, **attributes: str) -> etree._Element:
    """The root of a document in our namespace."""
    return etree.Element(qualified(tag), {"version": VERSION, **attributes}, nsmap=_PREFIXES)


def is_writable(character: str) -> bool:
    """Whether XML 1.0 has a way to write the character."""
    code = ord(character)
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def _octets(text: Any) -> bytes:
    if type(text) is not str:
        raise _refused("not a text", [FieldProblem(pointer="", code="not_text")])
    if len(text) > BYTES_MAX:
        raise _refused("too large", [FieldProblem(pointer="", code="too_long")])
    if _DOCUMENT_TYPE in text:
        raise _refused("document type")
    octets = text.encode("utf-8", "surrogatepass")
    if len(octets) > BYTES_MAX:
        raise _refused("too large", [FieldProblem(pointer="", code="too_long")])
    return octets


def _parser() -> etree.XMLParser:
    """A new one each time: lxml advises against sharing a parser between threads."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


def _parsed(octets: bytes) -> etree._Element:
    line = 0
    try:
        return etree.fromstring(octets, _parser())
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
    # Raised outside the handler: lxml's own error quotes the document, and a log would print it as the cause.
    raise MalformedXml("not well-formed", ids={"line": line})


def _refused(note: str, problems: Iterable[FieldProblem] = ()) -> MalformedXml:
    return MalformedXml(note, problems=problems)


class _Shape:
    """The XSD, with the names it defines."""

    def __init__(self, path: Path) -> None:
        tree = etree.fromstring(path.read_bytes(), _parser())
        self._schema = etree.XMLSchema(tree)
        self._lock = Lock()
        self._names = {node.get("name") for node in tree.iter("{http://www.w3.org/2001/XMLSchema}element")}

    def problems(self, root: etree._Element) -> tuple[FieldProblem, ...]:
        """What is wrong, each once, the first few; empty for a valid document."""
        with self._lock:
            if self._schema.validate(root):
                return ()
            log: Any = self._schema.error_log
            entries = list(log)[:PROBLEM_LIMIT]
        found = [
            FieldProblem(pointer=self._pointer(root, entry.path), code=_CODES.get(entry.type_name, "invalid"))
            for entry in entries
        ]
        return tuple(dict.fromkeys(found))

    def _pointer(self, root: etree._Element, path: str | None) -> str:
        """`/Result/0/At` for where the validator stood; what it stood in where its path cannot be followed."""
        prefixes = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
        while path:
            try:
                found: Any = root.getroottree().xpath(path, namespaces=prefixes)
            except etree.XPathError:  # a prefix the sender declared further down
                path = path.rpartition("/")[0]
                continue
            lineage = [found[0], *found[0].iterancestors()][:-1] if found else []
            return "".join(self._step(element) for element in reversed(lineage))
        return ""

    def _step(self, element: etree._Element) -> str:
        name = local_name(element)
        if name not in self._names:
            return "/?"
        if name not in REPEATED:
            return f"/{name}"
        return f"/{name}/{sum(1 for _ in element.itersiblings(element.tag, preceding=True))}"


@cache
def _shape() -> _Shape:
    return _Shape(XSD)
