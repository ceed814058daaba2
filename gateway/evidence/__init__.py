"""存证 What is provable afterwards: the transparency log, its checkpoints, receipts and bundles."""
