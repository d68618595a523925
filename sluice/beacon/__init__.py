"""The consensus layer as Sluice reads it."""
