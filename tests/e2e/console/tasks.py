"""How long a page's own work held it up, in time of its thread: what other programs take meanwhile does not count."""

import json
from types import TracebackType
from typing import Self

from playwright.sync_api import Browser

_MAIN_THREAD, _TASK = "CrRendererMain", "ThreadControllerImpl::RunTask"


class Tasks:
    """Lets Chromium trace the tasks of all its pages' main threads for the length of the block.

    Attributes:
        longest_ms: What the longest of them took of the processor; there once the block has been left.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.longest_ms = 0.0

    def __enter__(self) -> Self:
        self._browser.start_tracing(categories=["toplevel"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        events = json.loads(self._browser.stop_tracing())["traceEvents"]
        main = {
            (event["pid"], event["tid"])
            for event in events
            if event["name"] == "thread_name" and event["args"]["name"] == _MAIN_THREAD
        }
        of_main = (event for event in events if event["name"] == _TASK and (event["pid"], event["tid"]) in main)
        self.longest_ms = max((event["tdur"] for event in of_main if "tdur" in event), default=0.0) / 1000
        print(f"\nlongest task {self.longest_ms:.0f} ms")  # noqa: T201 - for whoever runs it with -s
