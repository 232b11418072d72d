r"""Credentials that show by the words around them: ``Bearer …``, JSON web tokens, private keys in PEM."""

import base64
import binascii
import re

from fapilog.coerce import MASK
from fapilog.redaction.rule import Rule

# RFC 7235 credentials: a scheme, and token68 or parameters. RFC 6750 Bearer, RFC 7617 Basic, RFC 7616 Digest; Token and
# ApiKey are usual, AWS4-HMAC-SHA256 is AWS Signature Version 4.
_AUTHORIZATION = re.compile(
    r"(?<![A-Za-z0-9_])(?P<scheme>[Bb][Ee][Aa][Rr][Ee][Rr]|[Bb][Aa][Ss][Ii][Cc]|[Tt][Oo][Kk][Ee][Nn]|[Aa][Pp][Ii]-?[Kk][Ee][Yy])"
    r"(?P<gap>[ \t]{1,4})(?P<secret>[A-Za-z0-9._~+/\-]{4,}+={0,3})"
    r"|(?P<digest>(?:[Dd][Ii][Gg][Ee][Ss][Tt]|AWS4-HMAC-SHA256)[ \t]{1,4}(?=[A-Za-z_]{1,24}=))[^\r\n]*"
)
_WORD = re.compile(r"[A-Za-z]?[a-z]*(?:[\-/.][A-Za-z]?[a-z]*)*[.]*|[A-Z]+|[0-9.\-/]{1,15}")
_LONG_WORD = 24
_SHORTEST = 5
_CERTAINLY = 16


def _hide_authorization(text: str) -> str:
    return _AUTHORIZATION.sub(_mask_credentials, text)


def _mask_credentials(match: re.Match[str]) -> str:
    digest = match["digest"]
    if digest:
        return digest + MASK
    secret = match["secret"]
    after = match.string[match.end() : match.end() + 1]
    if secret.endswith("=") and (after.isalnum() or (after == '"' and secret.rstrip("=").isalpha())):
        return match[0]  # a parameter: realm="api"
    found = _is_basic(secret) if match["scheme"].lower() == "basic" else _is_token(secret)
    return f"{match['scheme']}{match['gap']}{MASK}" if found else match[0]


def _is_token(text: str) -> bool:
    """Tell a token from the next word of a sentence, or a number in it."""
    if len(text) < _LONG_WORD and _WORD.fullmatch(text):
        return False
    return len(text) >= _CERTAINLY or (len(text) >= _SHORTEST and any(map(str.isalpha, text)))


def _is_basic(text: str) -> bool:
    """Tell base64 of a user, a colon and a password, perhaps cut, from the next word of a sentence."""
    if text.endswith("=") or (len(text) >= _CERTAINLY and _is_token(text)):
        return True
    whole = text[: len(text) - (len(text) % 4 == 1)]
    try:
        return b":" in base64.b64decode(whole + "=" * (-len(whole) % 4), validate=True)
    except binascii.Error:
        return False


_JWT = re.compile(
    # A header that begins with one of its registered names (RFC 7515 §4.1, RFC 7516 §4.1), wherever it stands.
    r"eyJ(?:hbGci|0eXAi|raWQi|lbmMi|jdHki|4NXQ|qa3Ui|qd2si|6aXAi|jcml0|lcGsi|hcHUi|iNjQi)[A-Za-z0-9_\-]*+(?:\.[A-Za-z0-9_\-]*+){0,4}"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{4,2048}+(?:\.[A-Za-z0-9_\-]{2,}+){1,4}"
)


def _hide_jwt(text: str) -> str:
    return _JWT.sub(MASK, text)


_PEM_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----(?:END[A-Z0-9 ]{0,80}-{0,5}|E?N?(?![A-Z]))")
_PEM_CUT_BODY = re.compile(r"(?:[A-Za-z0-9+/=:,\s]|\\[nrt]|-(?!----))*+")


def _hide_pem(text: str) -> str:
    pieces, done = [], 0
    for match in _PEM_BEGIN.finditer(text):
        if match.start() < done:
            continue
        pieces += [text[done : match.start()], MASK]
        end = text.find("-----", match.end())
        closing = _PEM_END.match(text, end) if end >= 0 else None
        if closing:
            done = closing.end()
        else:
            cut = _PEM_CUT_BODY.match(text, match.end())
            done = cut.end() if cut else match.end()
    return "".join([*pieces, text[done:]]) if pieces else text


AUTHORIZATION = Rule(
    hide=_hide_authorization,
    signs=(
        r"b(?:[Ee][Aa][Rr][Ee][Rr]|[Aa][Ss][Ii][Cc])[ \t]", r"B(?:[Ee][Aa][Rr][Ee][Rr]|[Aa][Ss][Ii][Cc])[ \t]",
        r"g(?<=[Dd]ig)est[ \t]", r"G(?<=DIG)EST[ \t]", r"k(?<=[Tt]ok)en[ \t]", r"K(?<=TOK)EN[ \t]",
        r"k(?<=[Aa]pik)ey[ \t]", r"k(?<=pi-k)ey[ \t]", r"K(?<=[iI\-]K)(?:ey|EY)[ \t]", r"W(?<=AW)S4-HMAC",
    ),
)  # fmt: skip
JWT = Rule(hide=_hide_jwt, signs=(r"J(?<=eyJ)[A-Za-z0-9_\-]{4}",))
PEM = Rule(hide=_hide_pem, signs=(r"-(?<=-----)BEGIN ",))
