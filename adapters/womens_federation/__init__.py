"""妇联 The adapter of the women's federation."""
