"""证据包核验 Checks one evidence bundle offline and says what is proven, what is still open and what is refuted.

1. the zip is in its one form; 2. its files are those of its manifest; 3. every member is in its shape; 4. the keys;
5. the manifest's seal and every signature; 6. how the papers hang together, the receipts, the log's leaves; 7. the
log's tree and checkpoint; 8. the page for people says what the evidence says; 9. what stands after all that.
A bundle that fails 1 to 3 is read no further. Nothing here reads a clock, a file or the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import BundleBroken
from gateway.evidence import bundle
from gateway.evidence.contents import Contents, fingerprint, read_contents, read_manifest
from gateway.evidence.summary import EDITION, render_page, render_plain
from gateway.evidence.verifier.conclusions import Conclusion, Conclusions, Standing
from gateway.evidence.verifier.entries import check_entries
from gateway.evidence.verifier.facts import facts_of
from gateway.evidence.verifier.files import check_files, check_seal
from gateway.evidence.verifier.judgements import check_judgements
from gateway.evidence.verifier.key_leaves import check_key_leaves
from gateway.evidence.verifier.papers import check_papers
from gateway.evidence.verifier.receipts import check_receipts
from gateway.evidence.verifier.relations import check_relations
from gateway.evidence.verifier.standing import conclude
from gateway.evidence.verifier.tree import check_tree, open_checkpoint
from gateway.evidence.verifier.trust import Trusted, build_keyring, check_given_checkpoint, check_keys

_ACTIVE = (b"<script", b"<iframe", b"<object", b"<embed", b"<link", b"<img", b"<form", b"javascript:", b"src=", b"url(")


@dataclass(frozen=True, kw_only=True)
class Verification:
    """核验结果. fingerprint: of the evidence; empty, like referral_id, where the bundle could not be read."""

    referral_id: str
    fingerprint: str
    conclusions: tuple[Conclusion, ...]

    def of(self, standing: Standing) -> tuple[Conclusion, ...]:
        """The conclusions of one standing, in order."""
        return tuple(found for found in self.conclusions if found.standing is standing)

    @property
    def holds(self) -> bool:
        """Whether nothing was refuted."""
        return not self.of(Standing.REFUTED)


NOTHING_PINNED = Trusted()


def verify_bundle(raw: bytes, trusted: Trusted = NOTHING_PINNED) -> Verification:
    """Every check on the bytes of one bundle. Raises ConfigError for a pinned thing that is none, MissingExtra."""
    found = Conclusions()
    referral_id = mark = ""
    try:
        files = bundle.read_bundle(raw)
        manifest = read_manifest(files)
        referral_id, mark = str(manifest["referral_id"]), fingerprint(files)
        check_files(files, manifest, found)
        if not found.refuted:
            _check_contents(files, read_contents(files), trusted, found)
    except BundleBroken as broken:
        found.add(broken.note, str(broken.ids.get("subject", "")))
    return Verification(referral_id=referral_id, fingerprint=mark, conclusions=found.all())


def _check_contents(files: Mapping[str, bytes], contents: Contents, trusted: Trusted, found: Conclusions) -> None:
    keyring = build_keyring(contents, trusted, found)
    if found.refuted:
        return
    check_keys(contents, trusted, found)
    check_seal(files, contents, keyring, found)
    check_papers(contents, keyring, found)
    facts = facts_of(contents)
    check_relations(contents, facts, found)
    check_receipts(contents, facts, found)
    check_entries(contents, found)
    check_key_leaves(contents, found)
    check_judgements(contents, found)
    checkpoint = open_checkpoint(contents, found)
    if checkpoint is not None:
        check_tree(contents, checkpoint, found)
        check_given_checkpoint(contents, checkpoint, trusted, found)
    _check_pages(files, contents, found)
    conclude(contents, checkpoint, found)


def _check_pages(files: Mapping[str, bytes], contents: Contents, found: Conclusions) -> None:
    """The pages are made again from the evidence; of another edition one can only tell what no page may do."""
    page = files[bundle.PAGE]
    if any(mark in page.lower() for mark in _ACTIVE):
        found.add("page_is_active", bundle.PAGE)
    elif contents.manifest["page"] != EDITION:
        found.add("page_of_other_edition", bundle.PAGE, edition=contents.manifest["page"])
    elif page != render_page(contents):
        found.add("page_differs", bundle.PAGE)
    elif files[bundle.PLAIN] != render_plain(contents):
        found.add("page_differs", bundle.PLAIN)
    else:
        found.add("pages_true", bundle.PAGE)
