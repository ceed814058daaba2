"""接口 What courts and agencies call by machine; every body in is a signed message."""
