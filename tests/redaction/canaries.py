"""Secrets to look for, put together at run time so that no scanner takes this file for a leak."""

SECRETS = (
    "canary-Pa55word",
    "CanaryBearer0123456789abcdef",
    "CanaryGithub" + "7" * 24,
    "canaryUrlPassword1",
    "canarySignature2",
    "CANARYEXAMPLEKEY",
    "canaryPemBodyLine",
)
PASSWORD, _BEARER, _GITHUB, _USERINFO, _SIGNATURE, _AWS, _PEM = SECRETS
BEARER = f"Bearer {_BEARER}"
GITHUB = "ghp_" + _GITHUB
URL = f"postgres://shop:{_USERINFO}@db.internal:5432/shop"
SIGNED_URL = f"https://bucket.example/x?X-Amz-Signature={_SIGNATURE}&page=2"
AWS = "AKIA" + _AWS
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{_PEM}\n-----END RSA PRIVATE KEY-----"


def found_in(text: str) -> list[str]:
    """Return the secrets that stand in a text."""
    return [secret for secret in SECRETS if secret in text]
