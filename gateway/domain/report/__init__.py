"""统计报表 The statistical report (DOMAIN §8): rows in, lines out; `build` is the door."""
