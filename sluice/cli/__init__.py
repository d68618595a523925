"""``sluice ...``: thin commands over the package."""
