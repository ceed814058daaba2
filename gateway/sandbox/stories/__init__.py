"""案例 Told cases: what the checks must find once, and look-alikes they must leave alone."""
