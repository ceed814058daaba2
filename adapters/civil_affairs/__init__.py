"""民政 The adapter of civil affairs."""
