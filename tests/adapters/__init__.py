"""Tests of the agencies' adapters."""
