"""接口 The HTTP surface of WIRE §4, one module per kind of route."""
