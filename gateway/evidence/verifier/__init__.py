"""离线核验 The offline verifier of evidence bundles: no database, no network, no secret. `verify.verify_bundle` is the
door; each other file is one kind of check. A check adds conclusions and stops nothing; only a bundle that cannot be
read, or whose files are not those its gateway signed, ends the reading early."""
