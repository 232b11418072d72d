"""One pool of HTTP/1.1 connections to one URL, as the sinks need it: bounded in time and in what it reads.

It is httpx's connection pool without httpx's client on top: no redirects are followed, no cookies kept, no proxies,
netrc files or credentials taken from the environment, no answer decompressed. (OpenSSL itself reads
``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, Python's ``ssl`` reads ``SSLKEYLOGFILE``.)
"""

import asyncio
import gzip
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Literal, cast

import httpx

from fapilog._version import __version__
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError, SinkError
from fapilog.sinks.http.answers import Answer, is_taken, parse_retry_after, refusal
from fapilog.sinks.http.endpoint import COMPRESSIONS, authorization, check_headers, check_tls, endpoint_of

__all__ = ["Answer", "HttpClient", "is_taken", "parse_retry_after", "refusal"]

MOST_ANSWER_BYTES = 65_536
CONFIGURATION_WAIT_SECONDS = 30.0
RENEW_SECONDS = 600.0
IDLE_SECONDS = 4.0
"""How long an idle connection is kept: less than servers do (uvicorn, node: 5 s), or a batch meets one that closes."""
_CLOSE_SECONDS = 0.5
_SHORTEST_SECRET = 6
_SHORTEST_IN_PATH = 12
_MEANINGS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.RemoteProtocolError, "no whole HTTP answer"),
    (httpx.ConnectError, "no connection"),
    (httpx.NetworkError, "the connection broke"),
)
_GZIP_LEVEL = 5
_ZSTD_LEVEL = 3


class HttpClient:
    """Sends bodies to one URL. Used by the tasks of one event loop; opened anew in a forked child.

    Its ``repr`` and its errors show scheme, host and port of the URL alone, and none of the headers.

    Args:
        url: An http or https URL; a user name and password in it are sent as basic authentication.
        headers: Sent with each request. A ``Content-Type`` among them replaces the one of :meth:`post`.
        auth: User name and password for basic authentication.
        bearer: A token, sent as ``Authorization: Bearer``.
        timeout_seconds: The longest that a request may take, from name resolution to the end of the answer.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's.
        verify: False accepts any certificate of any host.
        client_cert: A PEM file with the client's certificate, and its key if ``client_key`` is not given.
        client_key: A PEM file with the client's key.
        compression: How bodies are compressed. ``"zstd"`` needs the package zstandard.
        where: The builder's method, for errors.
        clock: Where the age of connections is read.

    Attributes:
        shown: Scheme, host and port: what may be shown.

    Raises:
        ConfigError: If a value cannot be used.
    """

    def __init__(  # noqa: PLR0913 - what a connection is made of
        self,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        auth: tuple[str, str] | None = None,
        bearer: str | None = None,
        timeout_seconds: float = 10.0,
        ca_file: str | None = None,
        verify: bool = True,
        client_cert: str | None = None,
        client_key: str | None = None,
        compression: Literal["none", "gzip", "zstd"] = "none",
        where: str = "add_http",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Check what can be checked without a file or a connection."""
        endpoint = endpoint_of(url, f"{where}(url)")
        own = check_headers(headers, f"{where}(headers)")
        login = authorization(endpoint, own, auth, bearer, where)
        check_tls(where, ca_file=ca_file, client_cert=client_cert, client_key=client_key, verify=verify)
        if compression not in COMPRESSIONS:
            raise ConfigError.unknown(f"{where}(compression)", compression, COMPRESSIONS)
        if compression == "zstd":
            _check_zstd(where)
        try:
            self._url = httpx.URL(endpoint.url)
        except httpx.InvalidURL:
            raise ConfigError.hidden(f"{where}(url)", url, "an http or https URL") from None
        self.shown = endpoint.shown
        self._headers = {
            "user-agent": f"fapilog/{__version__}",
            "accept": "*/*",
            **{name.lower(): value for name, value in own.items()},
            "accept-encoding": "identity",
        }
        if login is not None:
            self._headers["authorization"] = login
        self._hidden = _hidden_texts(self._url, own, login, (auth or endpoint.auth or ("", ""))[1], bearer)
        self._timeout = timeout_seconds
        self._tls_files = (ca_file, client_cert, client_key)
        self._verify = verify
        self._compression = compression
        self._where = where
        self._clock = clock
        self._renew_at = 0.0
        self._pool: httpx.AsyncHTTPTransport | None = None

    def __repr__(self) -> str:
        """Show where it sends to."""
        return f"HttpClient({self.shown!r})"

    async def open(self) -> None:
        """Read the files and make an empty pool; connections are made by the requests.

        A pool that a forked child finds is its parent's, and is left alone.

        Raises:
            SinkError: If a certificate or key cannot be read; not retryable.
        """
        context = self._context() if self._url.scheme == "https" else False
        self._renew_at = self._clock.monotonic() + RENEW_SECONDS
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)
        self._pool = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)

    async def post(
        self, body: bytes, content_type: str, headers: Mapping[str, str] | None = None, *, method: str = "POST"
    ) -> Answer:
        """Send a body and return the answer, whatever its status is.

        The answer is read to its end, or to 64 KiB; of a longer one the rest is not read and its connection dropped.

        Args:
            body: What is sent, compressed here if that was chosen.
            content_type: Its media type.
            headers: More headers for this request.
            method: ``"POST"`` or ``"PUT"``.

        Raises:
            SinkError: If there is no whole answer in time; retryable. Where TLS fails (a certificate that is not
                accepted, no common version) it asks to wait 30 s: that takes somebody who repairs it.
        """
        if self._pool is None:
            raise SinkError(f"{self.shown}: not open", retryable=True)
        more = {name.lower(): value for name, value in (headers or {}).items()}
        merged = {"content-type": content_type, **self._headers, **more}
        if self._compression != "none":
            merged["content-encoding"] = self._compression
            body = _compressed(body, self._compression)
        if self._clock.monotonic() >= self._renew_at:
            # A connection that lives for ever never follows its name to another address.
            self._renew_at = self._clock.monotonic() + RENEW_SECONDS
            merged["connection"] = "close"
        extensions = {"trace": _Handshake().trace}
        request = httpx.Request(method, self._url, headers=merged, content=body, extensions=extensions)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(self._pool, request)
        except TimeoutError:
            raise SinkError(f"{self.shown}: no whole answer within {self._timeout:g} s", retryable=True) from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            # Messages of libraries may quote headers: only types, and what the operating system or OpenSSL says.
            raise _failure(self.shown, error) from None

    async def close(self) -> None:
        """Drop the connections, without waiting for the peer."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.aclose()
        except (TimeoutError, httpx.HTTPError, OSError, RuntimeError):
            # Its sockets are closed when it is collected.
            return

    async def _exchange(self, pool: httpx.AsyncHTTPTransport, request: httpx.Request) -> Answer:
        response = await pool.handle_async_request(request)
        content = bytearray()
        try:
            async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
                async for chunk in chunks:
                    content += chunk
                    if len(content) >= MOST_ANSWER_BYTES:
                        break
        finally:
            await response.aclose()
        kept = bytes(content[:MOST_ANSWER_BYTES])
        text = kept.decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, self._hide(text), kept)

    def _hide(self, text: str) -> str:
        """Return an answer's text without what the request held: some receivers echo it."""
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text

    def _context(self) -> ssl.SSLContext:
        ca_file, client_cert, client_key = self._tls_files
        option = "(ca_file)" if ca_file is not None else ", or SSLKEYLOGFILE"
        try:
            context = ssl.create_default_context(cafile=ca_file)
            option = "(client_cert)"
            if client_cert is not None:
                # An empty password, or OpenSSL would ask for one on the terminal.
                context.load_cert_chain(client_cert, client_key, password="")
        except (OSError, ValueError) as error:
            raise SinkError(f"{self._where}{option}: cannot be used: {_words(error)}") from None
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class _Handshake:
    """Closes the connection of a request that was cancelled during its TLS handshake.

    httpcore leaves it to the garbage collector, and the event loop never lets go of it: a receiver that hangs there
    would take one descriptor for each attempt.
    """

    def __init__(self) -> None:
        """Begin without a connection."""
        self._stream: Any = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of the steps of a request, as httpcore tells them."""
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event == "connection.start_tls.failed":
            await self._stream.aclose()


def _check_zstd(where: str) -> None:
    try:
        import zstandard  # noqa: F401, PLC0415 - optional
    except ImportError:
        allowed = "none or gzip; zstd needs the package zstandard: pip install 'fapilog[http]'"
        raise ConfigError.wrong(f"{where}(compression)", "zstd", allowed) from None


def _compressed(body: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(body, _GZIP_LEVEL, mtime=0)
    import zstandard  # noqa: PLC0415 - optional

    return zstandard.ZstdCompressor(_ZSTD_LEVEL).compress(body)


def _hidden_texts(
    url: httpx.URL, headers: Mapping[str, str], login: str | None, password: str, bearer: str | None
) -> tuple[str, ...]:
    """Return what an answer's text may not show, the longest first; what is short hides nothing but words."""
    path = url.raw_path.decode("ascii")
    parts = {part for part in url.path.split("/") if len(part) >= _SHORTEST_IN_PATH}
    query = {value for _, value in url.params.multi_items()}
    sent = {*headers.values(), login or "", (login or "").partition(" ")[2], password, bearer or "", path}
    hidden = {text for text in sent | query if len(text) >= _SHORTEST_SECRET} | parts
    return tuple(sorted(hidden, key=len, reverse=True))


def _failure(shown: str, error: Exception) -> SinkError:
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = f"{shown}: its certificate is not accepted: {cause.verify_message}"
            return SinkError(text, retryable=True, retry_after=CONFIGURATION_WAIT_SECONDS)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return SinkError(f"{shown}: {_words(cause)}", retryable=True, retry_after=CONFIGURATION_WAIT_SECONDS)
    known = next((cause for cause in causes if isinstance(cause, OSError) and cause.errno), error)
    return SinkError(f"{shown}: {_words(known)}", retryable=True)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _words(error: BaseException) -> str:
    """Return the type, and what the operating system or OpenSSL calls it; no file name, no message."""
    name = type(error).__name__
    if isinstance(error, ssl.SSLError):
        return f"{name} ({error.reason})" if error.reason else name
    if isinstance(error, OSError) and error.errno:
        # asyncio puts addresses into strerror; the numbers of the resolver are not the system's.
        said = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        return f"{name} ({said})"
    return next((f"{name} ({text})" for kind, text in _MEANINGS if isinstance(error, kind)), name)
