"""Looks at the console of another process as its page does; told on standard input when to open and close it."""

import http.client
import sys
import threading

_STATUS_SECONDS = 2.0


class _Page:
    """One opening of the page."""

    def __init__(self, port: int, token: str) -> None:
        self.seen = 0
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._closed = threading.Event()
        self._get("/debug/logging/history")
        self._tail = http.client.HTTPConnection("127.0.0.1", port)
        self._tail.request("GET", "/debug/logging/tail?last=0", headers=self._headers)
        self._answer = self._tail.getresponse()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._poll)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Leave, and count what was seen."""
        self._closed.set()
        if self._tail.sock is not None:
            self._tail.sock.shutdown(2)
        for thread in self._threads:
            thread.join()

    def _get(self, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.request("GET", path, headers=self._headers)
        connection.getresponse().read()
        connection.close()

    def _read(self) -> None:
        """Take what comes and count it as cheaply as can be: beside what is measured there is one core more."""
        left = b""
        while not self._closed.is_set():
            try:
                data = self._answer.read1(1 << 20)
            except (OSError, http.client.HTTPException, ValueError):
                return
            if not data:
                return
            whole, _, left = (left + data).rpartition(b"\n")
            self.seen += whole.count(b'"place":') + whole.count(b'"request_completed"')

    def _poll(self) -> None:
        while not self._closed.wait(_STATUS_SECONDS):
            self._get("/debug/logging")


def main() -> None:
    """Do as told until the input ends: ``open``, ``close``, ``count``."""
    port, token = int(sys.argv[1]), sys.argv[2]
    page: _Page | None = None
    seen = 0
    for line in sys.stdin:
        word = line.strip()
        if word == "open":
            page = _Page(port, token)
        elif word == "close" and page is not None:
            page.close()
            seen += page.seen
        sys.stdout.write(f"{seen}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
