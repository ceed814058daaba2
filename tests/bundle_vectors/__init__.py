"""Every named bundle of tests/vectors: what is wrong with it, and how the verifier must say so."""

from tests.bundle_vectors import (
    honest,
    judgements,
    keys,
    leaves,
    manifests,
    receipts,
    relations,
    shapes,
    trees,
    zip_form,
)
from tests.bundle_vectors.registry import every_vector

__all__ = [
    "every_vector",
    "honest",
    "judgements",
    "keys",
    "leaves",
    "manifests",
    "receipts",
    "relations",
    "shapes",
    "trees",
    "zip_form",
]
