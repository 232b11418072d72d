"""Prometheus, from Debian's package, that scrapes what a test names and loads our rules; in a folder of its own."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml

from tests.services.process import ProcessServer, get_status

SCRAPES_EVERY = "1s"
PATIENCE_SECONDS = 10.0


class Target(NamedTuple):
    """An application whose metrics are read.

    Attributes:
        job: What it is called.
        port: On 127.0.0.1.
        token: Of its debug route.
    """

    job: str
    port: int
    token: str


class Prometheus(ProcessServer):
    """One server; its API answers at :attr:`url`.

    Args:
        folder: Where its configuration and its data are; made if it is missing.
        targets: What it scrapes.
        rules: The file of its rules.

    Attributes:
        url: Its base URL.
    """

    def __init__(self, folder: Path, targets: Sequence[Target], rules: Path) -> None:
        """Choose a port and write the configuration; nothing runs yet."""
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS, trust_env=False)
        configuration = {
            "global": {
                "scrape_interval": SCRAPES_EVERY,
                "scrape_timeout": SCRAPES_EVERY,
                "evaluation_interval": SCRAPES_EVERY,
            },
            "rule_files": [str(rules.resolve())],
            "scrape_configs": [_scraped(target) for target in targets],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), "utf-8")

    def command(self) -> Sequence[str]:
        """Return its command; it keeps no more than a test has."""
        return [
            shutil.which("prometheus") or "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ]

    def answers(self) -> bool:
        """Tell whether it is ready."""
        return get_status(self.port, "/-/ready") == 200

    def stop(self) -> None:
        """End it and the connections to it."""
        self._client.close()
        super().stop()

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer; fails on one that is no success, or has a warning."""
        response = self._client.get(f"/api/v1/{path}", params=parameters)
        answer = response.json()
        assert answer["status"] == "success", f"{path} {parameters}: {answer}"
        assert not answer.get("warnings"), f"{path} {parameters}: {answer['warnings']}"
        return answer["data"]

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the series that a query gives now: each its labels, ``metric``, and its ``value``, time and text."""
        found: list[dict[str, Any]] = self.api("query", query=query)["result"]
        return found


def _scraped(target: Target) -> dict[str, Any]:
    return {
        "job_name": target.job,
        "metrics_path": "/debug/logging/metrics",
        "authorization": {"type": "Bearer", "credentials": target.token},
        "static_configs": [{"targets": [f"127.0.0.1:{target.port}"]}],
    }
