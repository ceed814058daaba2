"""`python -m gateway.cli`: the same as `xianjie`, for programs that start it with a certain interpreter."""

from gateway.cli import main

main()
