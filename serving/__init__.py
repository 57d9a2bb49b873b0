"""The hosts that we own. Everything here imports `handler.py`; nothing imports this."""
