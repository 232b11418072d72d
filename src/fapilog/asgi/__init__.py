"""The ASGI edge: one middleware for any ASGI 3 application, no framework imported.

    from fapilog.asgi import FapilogMiddleware

    app = FapilogMiddleware(app)

``middleware`` lets requests in, ``exchange`` and ``websocket`` hold the state of one, ``headers`` reads what a client
sent, ``rules`` says what is worth an event, ``access`` builds it, ``lifespan`` starts and drains.
"""

from fapilog.asgi.access import annotate
from fapilog.asgi.middleware import FapilogMiddleware

__all__ = ["FapilogMiddleware", "annotate"]
