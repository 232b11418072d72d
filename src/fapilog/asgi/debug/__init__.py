"""The console of a running process: what an operator can read off it and change in it, behind a token.

``options`` says where it stands, ``guard`` who may read and change, ``routes`` answers, ``link`` tells the way.
"""

from fapilog.asgi.debug.level_tokens import level_token
from fapilog.asgi.debug.tickets import one_time_link

__all__ = ["level_token", "one_time_link"]
