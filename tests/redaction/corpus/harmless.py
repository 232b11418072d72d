r"""Texts in which there is nothing to hide: what looks like a secret and is none, by what it looks like.

The rows of ``email`` and ``phone`` are for rules without these two kinds; all others are for every kind.
"""

HARMLESS: dict[str, tuple[str, ...]] = {
    "authorization": (
        "bearer of bad news", "Bearer authentication required", "basic authentication failed", "customer is on the Basic plan",
        "Basic plan-2024 upgraded", "Token expired", "token 512 of 1000", "Digest size 12 is too small", "api key missing",
        "Token v2.1 released", "Basic auth is deprecated", "bearer token missing", "bearer <token>", "Bearer {token}", "Bearer ***",
        "a digest of the week", "ApiKey is required", "basic-info 12345678",
    ),
    "jwt": ("eyJ", "heyJude", "cursor eyJpZCI6MTIzfQ==", "the eyJ prefix", "next=eyJvIjo1MH0"),
    "pem": (
        "-----BEGIN CERTIFICATE-----\nMIIBszCCARygAwIBAgIBADANBgkqhkiG\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n-----END PUBLIC KEY-----",
        "-----BEGIN the report-----", "---- BEGIN SSH2 PUBLIC KEY ----",
    ),
    "keys": (
        "order_placed_successfully", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "sk-learn-is-a-library-for-machine-learning", "locale sk-SK", "cus_NffrFeUfNV2Hib", "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "pk_test_TYooMQauvdEDq54NiTphI7jx", "AKIA", "SG.1", "AROAEXAMPLEROLEID0001", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "image shop/api@sha256:9f86d081884c7d659a2f",
        "ghp_short", "npm_config_cache", "hf_hub_download", "key-value store", "glpat is a prefix", "github_pat_ tokens begin so",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "arn:aws:iam::123456789012:role/shop", "i-0abcd1234ef567890", "my_very_long_variablename_here", "ACb1c2d3e4f5061728394a5b6c7d8e9f00",
        "x-request-id: 7d8e9f00b1c2d3e4f5061728394a5b6c", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "the sk-prefixed-option",
    ),
    "url_userinfo": (
        "http://localhost:8080/a@b", "https://example.com/@user/post", "https://example.com/?mail=a@b", "http://[::1]:8080/x",
        "postgres://db.internal:5432/shop", "ssh://git@github.com/a/b.git", "git@github.com:a/b.git", "file:///etc/hosts",
        "https://***@host/x", "npm install https://registry.example/@scope/pkg",
    ),
    "url_query": (
        "https://shop.example/orders?page=2&sort=asc", "/search?q=token&lang=en", "/a?author=Jane&session_count=3&token_usage=5",
        "/err?code=404&state=open", "/cb?token=", "/cb?token=***&x=1", "#section=3", "a=1&b=2", "/x?key=value", "/p?signed=1&design=5",
        "https://x.example/#token",
    ),
    "key_value": (
        "Unexpected token: expected ')'", "SyntaxError: Unexpected token: }", "Unexpected token: 'return'", "author: Jane",
        "token_usage=512", "session_count: 3", "password: required", "password: must be at least 8 characters", "token: expired",
        "The password is too short", "Password reset: link sent to the user", "tokens: 512", "max_tokens=4096, prompt_tokens: 15",
        "password=None", "token=null&x=1", "'password': None", '"token": null', "secret: false", "password=***", "password: ***, user=x",
        "WHERE password = %s AND token = ?", "UPDATE users SET password = $1 WHERE id = 2", "token = self._fetch_token(user)",
        "def login(user: str, password: str) -> Token:", "connect(user=user, password=settings.password)", "login(password=password)",
        "password = os.environ['DB_PASSWORD']", "User(name='ann', password=SecretStr('**********'))", "columns ['user', 'password', 'email']",
        "usage: run --password PASSWORD is read from the environment", "if token == expected:", "--token is deprecated",
        "12:30:45 done", "10.0.0.1:8080", "Traceback (most recent call last):", 'File "/app/auth/token.py", line 12, in refresh',
        "KeyError: 'password'", "C:\\Users\\ann\\secret.txt", "https://example.com/secret/page", "passwords: 3 changed", "status=ok; count=3",
        "SELECT token, password FROM users", "secret santa: Tuesday", "authorization: denied for this user", "cookie: consent banner shown",
        "title: The Secret Garden", "tokenizer: cl100k", "password_changed_at=2024-01-31", "compass: north", "secret={secret}",
        "token: <token>", "password: ${DB_PASSWORD}", "token: ...", "a == b, c != d", "x => y", "<password></password>", "pinned: 3 posts",
    ),
    "numbers": (
        "order 1234567890123456", "ts 1700000000000", "ts 1700000000000000000", "20240131123000", "4111111111111112", "41111111111111111111",
        "3.4111111111111111", "4111111111111111.5", "id 4111-1111-1111-1111-1111", "f4111111111111111", "4111111111111111a",
        "3f2504e0-4f89-41d3-9a0c-030582330111", "2024-01-31T12:00:00.000000Z", "2024-01-31 12:00:00", "10.11.12.13", "192.168.100.200:8080",
        "v1.22.333", "000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "1123-45-67890", "123-45-6789-1",
        "DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000", "EUR 1234 5678 9012 3456", "A-88421", "ISBN 978-3-16-148410-0",
        "0000000000000000", "9999999999999999", "part 12-345-6789", "isbn 9783161484100", "tracking 1Z999AA10123456784", "+4111111111111111",
        "size 1920x1080, 390x844", "EAN 4006381333931",
    ),
    "contacts": (
        "user@host", "@decorator", "a @ b", "logo@2x.png", "lib@1.2.3", "2024-01-31", "12:30:45.123", "10.0.0.1", "192.168.100.200", "7.14.2",
        "order 12345678", "1700000000", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "room 101", "2,345,678", "0.12345678", "550e8400",
        "@app.route", "10-20-30",
    ),
    "email": ("jane@example.com wrote", "to: jane.doe+x@example.org"),
    "phone": ("call +49 151 23456789", "(415) 555-2671"),
    "prose": (
        "the author of the message", "Authorization was checked", "no cookie was set", "secrets were rotated", "user forgot the password",
        "GET /orders/77 HTTP/1.1", "/usr/lib/python3.13/site-packages/jose/jwt.py", "INSERT INTO tokens VALUES (1, 2)",
        "order placed", "Garden hose 20 m", "Müller straße 5", "日本語のテキスト", "", " ", "***",
        'Traceback (most recent call last):\n  File "/app/x.py", line 3, in f\n    return g(token)\nValueError: bad token',
        "took 12.5 ms, 3 retries; next at 12:00:05", "PasswordHasher uses argon2", "a -> b -> c", "x=1, y=2: fine",
    ),
}  # fmt: skip
