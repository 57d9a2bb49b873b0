"""Roundtable's speech library: audio in, who said what, when, in which language, and what it means.

It knows no host, no HTTP server, no setting in the environment and no Hub deployment; `handler.py` is its only door to them.
Importing it does no work: engines are imported inside the file of the engine that needs them, when it is constructed.
"""

__version__ = "0.1.0"
