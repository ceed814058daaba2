"""存储 Tables and the only SQL; one module per aggregate, correctness by UNIQUE constraints and row locks."""
