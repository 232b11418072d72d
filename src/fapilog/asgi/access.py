"""The completion event: what a request was, in one wide event on the logger ``fapilog.request``.

========================  ============================================================================
``request_completed``     an answer went out, or the client left before; INFO, from status 500 on ERROR
``request_failed``        the application raised; ERROR, with ``exception``
``websocket_opened``      the application accepted a WebSocket; INFO
``websocket_closed``      … and it is over, with ``close_code``; INFO
``websocket_refused``     the application did not accept; INFO
``websocket_failed``      the application raised; ERROR, with ``exception``
========================  ============================================================================
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fapilog.asgi.headers import USER_AGENT, HeaderReader, text
from fapilog.asgi.routes import RouteOf
from fapilog.asgi.rules import AsgiOptions, Rules
from fapilog.coerce import cut_text, to_plain_fields
from fapilog.context import OUTSIDE, current
from fapilog.diagnostics import Diagnostics, describe
from fapilog.event import IDENTITY_KEYS, Origin
from fapilog.levels import ERROR
from fapilog.logger.capture import active_span, submit

if TYPE_CHECKING:
    from fapilog.asgi.exchange import Exchange
