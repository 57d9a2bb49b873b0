"""From this folder to a running, verified Inference Endpoint, and back again: `python -m deploy`."""
