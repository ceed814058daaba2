"""名册核对 Whole rosters against whole expectations on an analytical engine, embedded or distributed."""
