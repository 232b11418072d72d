"""Names and values in text: where the value ends, and what is none."""

import ast
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.redaction.text import TextRules
from tests.redaction.corpus.names import is_secret_name

RULES = TextRules(["key_value"], is_secret_name)
values = st.text(min_size=4, max_size=30).filter(
    # Signs alone may be a mask, and [Redacted] is one.
    lambda text: sum(map(str.isalnum, text)) > 3 and text[0] not in "<["
)


@settings(max_examples=300)
@given(values)
def test_json_stays_json_and_only_the_value_goes(value):
    """Whatever the value is made of, the rest is still read as it was."""
    cleaned = RULES.clean(json.dumps({"a": 1, "password": value, "b": 2}))
    assert json.loads(cleaned) == {"a": 1, "password": "***", "b": 2}


@settings(max_examples=300)
@given(values, st.integers(1, 3))
def test_json_in_json_stays_json(value, depth):
    """However deep it is nested in strings."""
    text = json.dumps({"password": value, "b": [2]})
    for _ in range(depth):
        text = json.dumps({"inner": text})
    plain = json.loads(RULES.clean(text))
    for _ in range(depth):
        plain = json.loads(plain["inner"])
    assert plain == {"password": "***", "b": [2]}


@settings(max_examples=300)
@given(values.filter(lambda text: text.isprintable()))
def test_the_repr_of_a_dict_is_still_one(value):
    """In single quotes, in double quotes where the value has single ones."""
    assert ast.literal_eval(RULES.clean(repr({"a": 1, "password": value}))) == {"a": 1, "password": "***"}


@given(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=4))
def test_a_word_after_a_sign_is_hidden(value):
    """Tightly assigned, every word is a value but for those that say that there is none."""
    if value.lower() not in ("none", "null", "true", "false", "undefined") and set(value.lower()) != {"x"}:
        assert RULES.clean(f"a=1 password={value} b=2") == "a=1 password=*** b=2"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a=1&password=x%20y&b=2", "a=1&password=***&b=2"),
        ("Pwd=a;b;Database=c", "Pwd=***;Database=c"),
        ("f(password='x', b=2)", "f(password='***', b=2)"),
        ("f(password=x, b=2)", "f(password=***, b=2)"),
        ("(password=x)", "(password=***)"),
        ("'password=x'", "'password=***'"),
        ("password='x", "password='***"),
        ('password="x\ny"', 'password="***\ny"'),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: ***\nHost: x"),
        ("'Cookie: a=b; c=d' -o x", "'Cookie: ***' -o x"),
        ("Authorization: Bearer abc1, then", "Authorization: ***, then"),
        ("authorization=Basic dTpw&x", "authorization=***"),
        ("(b'cookie', b'a=b')", "(b'cookie', b'***')"),
        ('[["cookie", "a"], ["b", "c"]]', '[["cookie", "***"], ["b", "c"]]'),
        ("<password>x1</password>", "<password>***</password>"),
        ("run --password x1 -v", "run --password *** -v"),
        ("run --password=x1 -v", "run --password=*** -v"),
        ("secret=S(value='x1', n=[1]), a=2", "secret=***, a=2"),
        ("'secrets': ['x1', ['y']], 'a': 2", "'secrets': ***, 'a': 2"),
        ("secret=['x1", "secret=***"),
        ("password:\thunter2", "password:\t***"),
        ("the api key : k1.", "the api key : ***."),
        ("`password`: `x1`", "`password`: `***`"),
        ("a=1&pass%77ord=x1&b=2", "a=1&pass%77ord=***&b=2"),
        ("a=1\\u0026pin=x1", "a=1\\u0026pin=***"),
        ("the password is: x1", "the password is: ***"),
        ("cookie: {'sid': 'a'}, b", "cookie: ***, b"),
        ("password: {'sid': 'a'}", "password: ***"),
    ],
)
def test_where_a_value_ends(text, cleaned):
    """The value goes, the rest stays."""
    assert RULES.clean(text) == cleaned


@pytest.mark.parametrize("sign", ["=", ":", ": ", " = ", " : ", ":=", " => ", "=>", "%3D", " := "])
def test_every_sign_between_name_and_value(sign):
    """Assigned, told, mapped, encoded."""
    assert RULES.clean(f"password{sign}hunter2") == f"password{sign}***"


@pytest.mark.parametrize(
    "text",
    [
        "password: is not set",
        "password: required",
        "password: str = None",
        "token: expected ')'",
        "token == 'x1'",
        "password: ",
        "password=",
        "password=None",
        "password={pw}",
        "password: {{ pw }}",
        "password=%s",
        "password = :pw",
        "password=${PW}",
        "password=***",
        "'password': '***'",
        "password: <hidden>",
        "--password is read",
        "--password",
        "['user', 'password', 'mail']",
        "('user', 'password', 'mail')",
        "password=password)",
        "password=self.password",
        "token = get_token(x)",
        "token = a.b(c)",
        "token=os.environ['T']",
        "SecretStr('*****')",
        "password=SecretStr('*****')",
        "page: 1",
        "secret::x1",
        "https://x/token/1",
        "<secret></secret>",
        "a <b> c",
        "password=\n",
        "password: Must be longer",
        "self.password = password",
        "(password>12)<b",
        "token: Token = Depends(x)",
        "password: {",
        "the password is: required",
    ],
)
def test_what_is_no_value_stays(text):
    """Sentences, placeholders, code, types and emptiness hide nothing."""
    assert RULES.clean(text) is text
