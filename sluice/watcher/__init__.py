"""Looks over the committee's shoulder: see :mod:`sluice.watcher.daemon`."""
