"""命令行 The commands of `xianjie`."""
