"""Secrets to look for, put together at run time so that no scanner takes this file for a leak."""

from typing import ClassVar, NamedTuple


class Canaries(NamedTuple):
    """One secret of each kind, as it is logged."""

    password: str
    bearer: str
    github: str
    url: str
    signed_url: str
    aws: str
    pem: str

    SECRETS: ClassVar[tuple[str, ...]] = (
        "canary-Pa55word",
        "CanaryBearer0123456789abcdef",
        "CanaryGithub" + "7" * 24,
        "canaryUrlPassword1",
        "canarySignature2",
        "CANARYEXAMPLEKEY",
        "canaryPemBodyLine",
    )

    def found_in(self, text: str) -> list[str]:
        """Return the secrets that stand in a text."""
        return [secret for secret in self.SECRETS if secret in text]


_PASSWORD, _BEARER, _GITHUB, _USERINFO, _SIGNATURE, _AWS, _PEM = Canaries.SECRETS
CANARIES = Canaries(
    password=_PASSWORD,
    bearer=f"Bearer {_BEARER}",
    github="ghp_" + _GITHUB,
    url=f"postgres://shop:{_USERINFO}@db.internal:5432/shop",
    signed_url=f"https://bucket.example/x?X-Amz-Signature={_SIGNATURE}&page=2",
    aws="AKIA" + _AWS,
    pem=f"-----BEGIN RSA PRIVATE KEY-----\n{_PEM}\n-----END RSA PRIVATE KEY-----",
)
