"""Fields of events, nested as applications log them: secret by name or by content, and harmless ones."""

from typing import Any

from tests.redaction.corpus.secrets import AWS_ID, GITHUB, JWT, PEM, PEM_BODY, SLACK

SECRET_PAYLOADS: tuple[tuple[Any, ...], ...] = (
    ("names", {"user": {"name": "ann", "password": "canary-1"}}, "canary-1"),
    ("names", {"request": {"headers": {"Authorization": "Bearer canary-2", "Accept": "*/*"}}}, "canary-2"),
    ("names", {"headers": {"Cookie": "sid=canary-3; theme=dark", "X-Api-Key": "canary-4"}}, "canary-3", "canary-4"),
    ("names", {"config": {"db": {"PASSWORD": "canary-5"}, "apiKey": "canary-6"}}, "canary-5", "canary-6"),
    ("names", {"tokens": [{"access_token": "canary-7"}, {"refreshToken": "canary-8"}]}, "canary-7", "canary-8"),
    ("names", {"client-secret": {"current": "canary-9", "old": ["canary-10"]}}, "canary-9", "canary-10"),
    ("content", {"items": [{"note": f"key {AWS_ID}"}, {"note": "fine"}]}, AWS_ID),
    ("content", {"error": {"detail": ["retry", {"url": "postgres://u:canary-11@db/x"}]}}, "canary-11"),
    ("content", {"log": [f"a {GITHUB} b", f"c {SLACK}"]}, GITHUB, SLACK),
    ("content", {"raw_line": f'{{"session": "{JWT}"}}'}, JWT),
    ("content", {"files": {"id_rsa": PEM}}, PEM_BODY),
    ("content", {"urls": ["https://x.example/?sig=canary-12&a=1", "https://x.example/?a=1"]}, "canary-12"),
    ("content", {"argv": ["run", "--password=canary-13"]}, "canary-13"),
    ("content", {"headers": [["authorization", "Bearer canary0123456"], ["accept", "*/*"]]}, "canary0123456"),
    ("content", {"inner": r'{"user": {"password": "canary-14"}}'}, "canary-14"),
)

HARMLESS_PAYLOADS: tuple[tuple[str, Any], ...] = (
    ("names", {"author": "Jane", "session_count": 3, "token_usage": {"prompt": 12, "completion": 40}}),
    ("names", {"order": {"id": "A-88421", "items": [{"sku": "B-1009", "name": "Garden hose"}], "currency": "EUR"}}),
    ("names", {"http": {"method": "GET", "path": "/orders/77", "status": 200, "duration_ms": 12.5}}),
    ("names", {"max_tokens": 4096, "prompt_tokens": 15, "passwords_changed": 2, "has_password": True}),
    ("content", {"ids": ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "4bf92f3577b34da6a3ce929d0e0e4736"]}),
    ("content", {"at": "2024-01-31T12:00:00Z", "peer": "10.0.0.1:8080", "version": "7.14.2"}),
    ("content", {"notes": ["bearer of bad news", "Basic plan", {"title": "The Secret Garden"}]}),
    ("content", {"links": {"self": "https://shop.example/orders?page=2", "mail": "ssh://git@github.com/a/b.git"}}),
    ("content", {"counts": [1700000000000, 1234567890123456, 3.14], "ok": True, "none": None}),
    ("content", {"sql": "UPDATE users SET password = $1 WHERE id = 2", "args": [1, 2]}),
)
