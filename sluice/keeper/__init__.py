"""Does what anybody may do, and what keepers alone may: see :mod:`sluice.keeper.daemon`."""
