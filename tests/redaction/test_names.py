"""Names: what is recognised in any spelling, and what only looks like it."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.redaction.names import KEEP, MASKED, REMOVE, SIZE, NameRules, normal, words_of
from fapilog.redaction.presets import CONTENT_PATTERNS, CREDENTIALS, PII

SECRET = """
password Password PASSWORD pass_word passwd pwd PGPASSWORD db_password dbPassword DB-PASSWORD dbpassword userpasswd
userPassword user.password user_pass dbpass passphrase ssh_key_passphrase new_password newPassword old-password
current_password password1 password_2 password_hash passwordHash passwordhash password_b64 password_sha256
password_confirm password_confirmation passwordConfirmation passwordAgain passwordagain password_hint enable_password
reset_password temp_password root_password admin.password passwort kennwort contraseña CONTRASEÑA mot_de_passe pass
secret secrets SECRET my_secret clientSecret client_secret clientsecret CLIENT-SECRET secret_b64 secret_key SECRET_KEY
secretkey secretKeyBase64 webhook_secret jwt_secret aws_secret_access_key AWSSecretAccessKey secret_id secret_value
apiKey api_key API-KEY x-api-key X-API-Key XApiKey api.key apikey myapikey api_keys api_key_new stripe_api_key apikey2
private_key privateKey private_key_pem signing_key encryption_key master_key access_key AccountKey ssh_key license_key
ocp-apim-subscription-key x-functions-key
token TOKEN access_token accessToken accesstoken refreshToken id_token auth_token authtoken bearer_token token_value
tokenValue csrf_token csrfToken csrfmiddlewaretoken authenticity_token session_token oauth2_token OAuthToken reset_token
verification_token access_tokens GITHUB_TOKEN DO_API_TOKEN bot_token slackBotToken token1 device_token
jwt user_jwt bearer auth basic_auth credential credentials aws_credentials creds otp otp_code totp mfa_code
verification_code backup_codes code_verifier client_assertion SAMLResponse saml_response id_token_hint
authorization_code
session_id sessionid sessionId JSESSIONID PHPSESSID session_key cookie cookies set_cookie session_cookie
dsn SENTRY_DSN database_dsn connection_string ConnectionString connectionStrings magic_link security_answer kubeconfig
http.request.header.authorization http.request.header.x-api-key request.headers.cookie aws.secret_access_key
""".split()  # noqa: SIM905 - a table is read more easily

HARMLESS = """
author Author authors author_id author_name authority authorities authorized authenticated authentication_method
oauth_provider auth_method auth_provider authors_note session session_count sessions active_sessions session_duration
token_usage tokenUsage tokens total_tokens totalTokens max_tokens maxTokens prompt_tokens completion_tokens
input_tokens output_tokens tokens_used tokens_per_second token_count tokenCount token_type token_id token_expires_at
token_url token_endpoint token_name tokenizer tokenized next_page_token nextPageToken next_token page_token
continuation_token cost_per_token ms_per_token time_to_first_token eos_token cancellation_token max_token
secretary secretariat secret_name secret_version secret_count secrets_manager secretsmanager
password_changed_at password_length password_policy password_strength password_reset_at password_attempts passwordless
passenger passengers passport_control compass bypass encompass passed passing pass_count pass_rate passive
key keys primary_key primaryKey foreign_key public_key publicKey cache_key cacheKey partition_key sort_key routing_key
idempotency_key object_key s3_key monkey turkey keyboard keyword hotkey key_id api_key_id apiKeyId api_key_count
api_key_name max_api_keys key_vault
has_password hasPassword is_secret isSecret use_token useToken uses_token requires_auth_token needs_api_key
show_password can_reset_password must_change_password without_password num_secrets require_password user.has_password
cookie_name cookie_consent cookie_count accepts_cookies
signature sign_in_count signed_at credential_type credential_id credentialed creditor
code status_code error_code country_code postcode_lookup device device_type
timestamp level logger message request_id trace_id span_id trace_flags exception stack service env version host pid
http_method http_route path duration_ms total_ms request_bytes response_bytes client_ip user_agent outcome
name title description url uri user user_id username email id ids count items order_id amount currency state nonce
bearing pintxo pin_count spinning opinion shipping otpions bottom robot dotted adsn keytar
""".split()  # noqa: SIM905

HEADERS = """
authorization cookie set-cookie proxy-authorization x-api-key api-key x-auth-token x-access-token x-csrf-token
x-csrftoken x-xsrf-token x-amz-security-token x-vault-token x-gitlab-token x-goog-api-key x-goog-iap-jwt-assertion
cf-access-jwt-assertion x-amzn-oidc-data x-amzn-oidc-accesstoken x-forwarded-access-token x-session-token
x-hub-signature-256 x-fapilog-token x-log-level x-client-secret dpop x-auth x-forwarded-authorization
x-serverless-authorization
""".split()  # noqa: SIM905

BULK = """
body Body request_body requestBody response_body raw_body rawPayload payload request_payload eventPayload raw html
email_body blob binary raw_request raw_response file_content fileContents image_data multipart form_data attachments
""".split()  # noqa: SIM905
NOT_BULK = """
status_body body_size body_hash payload_size antibody somebody rawness raw_score html_url content data binary_path text
blob_name attachment_count file_name request_bytes response_bytes embody
""".split()  # noqa: SIM905

CREDENTIAL_RULES = NameRules(mask=CREDENTIALS.fields, size=CONTENT_PATTERNS.size_fields, allow=CREDENTIALS.harmless)

separators = st.sampled_from(["_", "-", " ", ".", "__", " - "])
cases = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_is_known_by_its_name(name):
    """Passwords, keys, tokens and sessions, however they are spelt and whatever qualifies them."""
    assert CREDENTIAL_RULES.verdict(name) == MASKED


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_like_a_secret_is_kept(name):
    """Authors, amounts of tokens, keys that find something, flags, and all that fapilog itself writes."""
    assert CREDENTIAL_RULES.verdict(name) == KEEP


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("spelt", [str.lower, str.title, lambda name: "HTTP_" + name.upper().replace("-", "_")])
def test_headers_that_hold_credentials_are_masked(name, spelt):
    """As they are sent, in capitals, and as CGI and WSGI name them."""
    assert CREDENTIAL_RULES.verdict(spelt(name)) == MASKED


@pytest.mark.parametrize("name", BULK)
def test_bulk_fields_tell_their_size(name):
    """Bodies and payloads, raw or not."""
    assert CREDENTIAL_RULES.verdict(name) == SIZE


@pytest.mark.parametrize("name", NOT_BULK)
def test_what_is_about_a_body_is_none(name):
    """Its size, its hash, its name."""
    assert CREDENTIAL_RULES.verdict(name) == KEEP


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("card", MASKED),
        ("Card", MASKED),
        ("order.card", MASKED),
        ("card_value", MASKED),
        ("credit_card", KEEP),
        ("cards", KEEP),
        ("door_pin", MASKED),
        ("doorPin", MASKED),
        ("pin", MASKED),
        ("spin", KEEP),
        ("topsecretcode", MASKED),
        ("secretcodes", KEEP),
        ("trace", REMOVE),
        ("my_trace", KEEP),
        ("internal_note", REMOVE),
        ("internal_note_value", KEEP),
        ("dump", SIZE),
        ("has_dump", KEEP),
        ("pin_allowed", KEEP),
        ("🔑", MASKED),
        ("both", REMOVE),
    ],
)
def test_each_form_of_a_rule_means_what_it_says(name, expected):
    """A whole name, ending words, ending letters; removal at its word, masking with qualifiers."""
    rules = NameRules(
        mask=["card", "*_pin", "**secret-code", "🔑", "both"], remove=["trace", "*note", "both"], size=["dump"]
    )

    assert rules.verdict(name) == expected


@pytest.mark.parametrize("allow", ["csrf_token", "CSRFToken", "*token", "**token"])
def test_what_is_allowed_wins_over_every_other_rule(allow):
    """Whether it is to be masked, removed or sized; and it opens no more than it says."""
    for rules in ({"mask": ["*token"]}, {"remove": ["*token"]}, {"size": ["*token"]}):
        assert NameRules(**rules, allow=[allow]).verdict("csrf_token") == KEEP
    assert NameRules(mask=["*token"], allow=[allow]).verdict("csrf_token_value") == MASKED


@given(
    st.lists(st.tuples(st.sampled_from(["api", "key", "pin", "card", "x"]), cases), min_size=1, max_size=5), separators
)
def test_case_and_separators_mean_nothing(parts, separator):
    """Every spelling of a rule, and of a name, has the verdict of the plain one."""
    plain = "_".join(word for word, _ in parts)
    spelt = separator.join(case(word) for word, case in parts)

    assert normal(spelt) == normal(plain)
    for rule in (plain, f"*{plain}", f"**{plain}"):
        again = rule.replace(plain, spelt)
        for name in (plain, spelt, f"db{separator}{spelt}", f"{spelt}{separator}hash", f"is{separator}{spelt}"):
            assert NameRules(mask=[again]).verdict(name) == NameRules(mask=[rule]).verdict(name)
        assert NameRules(mask=[again]).verdict(plain) == MASKED


@given(st.sampled_from(["password", "api_key", "session_id"]), st.data())
def test_no_mixture_of_cases_hides_a_secret(name, data):
    """``pAsSwOrD`` falls into many words, and is put together again."""
    spelt = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in name)

    assert CREDENTIAL_RULES.verdict(spelt) == MASKED
    assert CREDENTIAL_RULES.verdict(f"db_{spelt}") == MASKED


@given(st.text())
@example("")
@example("___")
@example("a.")
@example(".a.🔑")
@example("\ud800token")
def test_a_verdict_never_raises(name):
    """Whatever a name is made of, lone surrogates too."""
    rules = NameRules(mask=[*CREDENTIALS.fields, *PII.fields], size=["*body"], remove=["*x"], allow=["**y"])

    assert rules.verdict(name) in (KEEP, MASKED, REMOVE, SIZE)
    assert normal(name) == "".join(words_of(name))


@pytest.mark.parametrize("unit", ["a", "A", "aB", "1", "_", ".", "a.", "hash_", "is_", "é", "valuehash", "🔑"])
def test_the_longest_name_takes_linear_time(unit):
    """A megabyte takes well under a second; quadratic time would be hours."""
    name = unit * (1_000_000 // len(unit))
    before = time.process_time()

    CREDENTIAL_RULES.verdict(name)
    CREDENTIAL_RULES.verdict(name + "_password")

    assert time.process_time() - before < 5


@pytest.mark.parametrize("name", ["x" * 5_000 + "_password", "a_" * 500 + "token_value", "K" * 3_000 + "-apiKey"])
def test_length_hides_nothing(name):
    """The end of a long name is looked at like that of a short one."""
    assert CREDENTIAL_RULES.verdict(name) == MASKED


@pytest.mark.parametrize(
    "rule", ["", "*", "**", "***password", "pass*", "*pass*word", "  ", "-_.", None, 7, True, b"ssn"]
)
@pytest.mark.parametrize(("kind", "option"), [("mask", "fields"), ("remove", "remove"), ("allow", "allow")])
def test_what_is_no_rule_is_refused(kind, option, rule):
    """The error says where the rule came from and what is allowed; what is no text is not shown."""
    with pytest.raises(ConfigError, match=re.escape(f"with_redaction({option})")) as caught:
        NameRules(**{kind: [rule]})

    assert "'*password'" in str(caught.value)
    assert "b'ssn'" not in str(caught.value)
