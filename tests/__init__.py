"""Tests of Xianjie; a package so that tests and benchmarks can share what is in it."""
