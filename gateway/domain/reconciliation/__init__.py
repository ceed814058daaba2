"""对账 Reconciliation: rows in, findings out."""
