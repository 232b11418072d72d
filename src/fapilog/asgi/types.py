"""What ASGI 3 is made of, typed loosely.

``asgiref.typing`` names each message as a dict of its own. Frameworks type theirs as mappings of anything, and neither
is assignable to the other; a middleware that fits around all of them has to ask for less.
"""

from collections.abc import Awaitable, Callable
from typing import Any

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
