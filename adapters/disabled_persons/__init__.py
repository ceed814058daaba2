"""残联 The adapter of the disabled persons' federation."""
