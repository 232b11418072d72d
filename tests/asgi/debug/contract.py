"""The console's documented contract, as a test holds answers to it."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

BASE = "/debug/logging"
TOKEN = "reader-token"
_URI = "urn:console"


class Contract:
    """The OpenAPI document.

    Attributes:
        document: As it is served.
    """

    def __init__(self) -> None:
        """Read it."""
        self.document: dict[str, Any] = json.loads((files("fapilog") / "schema" / "console_v1.json").read_bytes())
        self._registry: Any = Registry().with_resource(_URI, Resource.from_contents(self.document, DRAFT202012))

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield path, method and description of each operation."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield path, method, operation

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        """Return what holds values to a schema, whose references are those of the document."""
        text = json.dumps(schema).replace('"$ref": "#', f'"$ref": "{_URI}#')
        return Draft202012Validator(json.loads(text), registry=self._registry)

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """Return the operation that a request is for; of a method that a path does not have, any that it has."""
        for template, methods in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^?]+", re.escape(template)), path):
                found = methods.get("get" if method == "HEAD" else method.lower())
                return found or next(iter(methods.values()))  # type: ignore[no-any-return]
        raise AssertionError(f"{path} is not documented")

    def hold(self, answer: httpx.Response) -> Any:
        """Fail for an answer that is not as documented; return its body if that is JSON.

        Status, content type, required headers, and the body are looked at, and what all answers have in common.
        """
        request = answer.request
        described = self.operation(request.method, request.url.path)["responses"].get(str(answer.status_code))
        assert described is not None, f"{request.method} {request.url.path} answers {answer.status_code}: {answer.text}"
        if "$ref" in described:
            described = self.document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        for name, header in described.get("headers", {}).items():
            assert name in answer.headers or not header.get("required"), name
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        # The login form's: with none at all browsers would not say where the form comes from.
        signs_in = answer.status_code in (401, 429) and answer.headers["content-type"].startswith("text/html")
        assert answer.headers["referrer-policy"] == ("same-origin" if signs_in else "no-referrer")
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        if "content" not in described:
            assert answer.content == b""
            return None
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in described["content"], kind
        if request.method == "HEAD":
            assert answer.content == b""
            return None
        value = answer.json() if kind == "application/json" else answer.text
        self.validator(described["content"][kind]["schema"]).validate(value)
        return value
