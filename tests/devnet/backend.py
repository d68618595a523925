"""What the devnets of these tests run on: anvil, in a deep run a real execution client."""

from __future__ import annotations

import os

from sluice.devnet import Backend

BACKEND = Backend.ETHEREUMJS if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else Backend.ANVIL
