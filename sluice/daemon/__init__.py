"""What all services share: settings, logs, metrics and health, the loop, keys, transactions."""
