"""信封 The signed message: writing it, proving it, and the keys that do both."""
