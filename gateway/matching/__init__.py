"""比对 Whether two records may be the same person, with reasons; a match never denies."""
