"""Sixty days of the protocol on a fresh local chain: what `make demo` shows."""
