"""Deployment of the protocol: parameters -> plan -> show -> confirm -> send -> record -> verify."""
