"""Signatures: what is signed is what arrived, by whom, and when; nothing else passes."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import FapilogError
from fapilog.sinks.webhook.signing import SignatureError, key_of, sign, verify

SECRET = "canary-secret-of-the-receiver"
OLD = "whsec_" + base64.b64encode(b"canary-secret-before-it").decode()
NOW = 1_763_712_000
BODY = b'{"message":"\xc3\xa4 . \n"}'


def _signed(*secrets: str, body: bytes = BODY, now: int = NOW) -> dict[str, str]:
    return sign("5f0c1de2a9b07c44-1207", now, body, [key_of(secret) for secret in secrets])


def test_the_vector_of_standard_webhooks():
    """Their example (spec, 2023): its libraries and ours agree."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body, [key_of(secret)])

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify(body, headers, secret, now=1_614_265_330) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_a_signature_can_be_computed_from_its_description():
    """HMAC-SHA256 over `id.timestamp.body`, in base64: three lines in any language."""
    headers = _signed(SECRET)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + BODY
    expected = base64.b64encode(hmac.new(SECRET.encode(), content, hashlib.sha256).digest()).decode()

    assert headers["webhook-signature"] == f"v1,{expected}"


def test_while_a_key_is_changed_either_one_will_do():
    """Sender and receiver need not change at the same moment, in either order."""
    both = _signed(SECRET, OLD)

    assert len(both["webhook-signature"].split()) == 2
    for sent, known in ((both, SECRET), (both, OLD), (_signed(OLD), [SECRET, OLD]), (_signed(SECRET), [OLD, SECRET])):
        assert verify(BODY, sent, known, now=NOW) == "5f0c1de2a9b07c44-1207"
    with pytest.raises(SignatureError):
        verify(BODY, _signed(OLD), [SECRET], now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301, 10**9, -(10**9)])
def test_what_is_too_old_or_too_new_is_refused(seconds):
    """Five minutes either way, by default: what was recorded cannot be played back later."""
    with pytest.raises(SignatureError, match="300 s"):
        verify(BODY, _signed(SECRET), SECRET, now=NOW + seconds)


@pytest.mark.parametrize("seconds", [-300, 0, 299.9, 300])
def test_clocks_may_differ_within_the_window(seconds):
    """Clocks of two machines never agree."""
    verify(BODY, _signed(SECRET), SECRET, now=NOW + seconds)


def test_the_window_can_be_chosen():
    """And without `now` it is the system's clock that counts."""
    verify(BODY, _signed(SECRET), SECRET, now=NOW + 3_000, tolerance_seconds=3_000)
    with pytest.raises(SignatureError, match="away from now"):
        verify(BODY, _signed(SECRET), SECRET)


def test_names_of_headers_may_have_any_case():
    """Frameworks spell them in their own ways."""
    verify(BODY, {name.title(): value for name, value in _signed(SECRET).items()}, SECRET, now=NOW)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_changed_body_is_refused(place, change):
    """One byte is enough, wherever it is."""
    changed = bytearray(BODY)
    changed[place] ^= change

    with pytest.raises(SignatureError):
        verify(bytes(changed), _signed(SECRET), SECRET, now=NOW)


@pytest.mark.parametrize("body", [b"", BODY + b"\n", BODY[:-1], b" " + BODY, b'{"message": "\xc3\xa4 . \n"}'])
def test_another_body_is_refused(body):
    """Also one that means the same: what is signed are the bytes."""
    with pytest.raises(SignatureError):
        verify(body, _signed(SECRET), SECRET, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "5f0c1de2a9b07c44-1208"},
        {"webhook-id": ""},
        {"webhook-id": None},
        {"webhook-id": "5f0c1de2a9b07c44-1207\u00e4"},
        {"webhook-id": "\ud800"},
        {"webhook-id": "x" * 10_000},
        {"Webhook-Id": "a second one"},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-timestamp": f"0{NOW}"},
        {"webhook-timestamp": f" {NOW}"},
        {"webhook-timestamp": f"+{NOW}"},
        {"webhook-timestamp": f"{NOW}.0"},
        {"webhook-timestamp": f"-{NOW}"},
        {"webhook-timestamp": "٣" * 10},
        {"webhook-timestamp": "9" * 5_000},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": None},
        {"webhook-signature": None},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,\u00e4"},
        {"webhook-signature": "v2," + "A" * 44},
        {"webhook-signature": "v1," + "A" * 44},
        {"webhook-signature": "v1a,x v1,x ,"},
    ],
)
def test_headers_that_are_wrong_or_missing_are_refused(change):
    """Whatever an attacker puts there, the answer is no, and one kind of error."""
    headers = {name: value for name, value in {**_signed(SECRET), **change}.items() if value is not None}
    with pytest.raises(SignatureError) as caught:
        verify(BODY, headers, SECRET, now=NOW)

    assert isinstance(caught.value, FapilogError)
    assert isinstance(caught.value, ValueError)
    assert SECRET not in str(caught.value)


def test_a_signature_of_an_unknown_version_is_passed_over():
    """A sender may already sign in a newer way beside this one."""
    headers = _signed(SECRET)
    headers["webhook-signature"] = f"v2,abc {headers['webhook-signature']} v1a,x"

    verify(BODY, headers, SECRET, now=NOW)


def test_an_id_cannot_reach_into_the_timestamp():
    """Where the parts of what is signed end cannot be shifted: a number in the body does not become the timestamp."""
    headers = sign("a", NOW, b"1763712001.x", [key_of(SECRET)])
    shifted = {**headers, "webhook-id": f"a.{NOW}", "webhook-timestamp": "1763712001"}

    # The signed bytes are the same; that ids have no full stop is what tells the two apart.
    with pytest.raises(SignatureError, match="full stop"):
        verify(b"x", shifted, SECRET, now=NOW)


@pytest.mark.parametrize("secret", ["", "short", "x" * 15, "whsec_", "whsec_AAAA", "whsec_not base64!" * 3])
def test_a_weak_or_malformed_secret_is_refused_without_showing_it(secret):
    """Fewer than 16 bytes can be guessed from one signature."""
    with pytest.raises(ValueError, match=r"base64|16 bytes") as caught:
        verify(BODY, _signed(SECRET), secret, now=NOW)
    assert not secret or secret not in str(caught.value)


def test_no_secret_means_nobody_is_believed():
    """An empty list of keys opens nothing."""
    with pytest.raises(SignatureError):
        verify(BODY, _signed(SECRET), [], now=NOW)
