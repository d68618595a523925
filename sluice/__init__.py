"""Sluice: a liquid-staking protocol for Ethereum."""
