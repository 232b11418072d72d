r"""Keys and tokens to which their makers have given a form of their own.

The prefixes are the makers', from their public documentation: GitHub "authentication token formats", GitLab "token
overview", AWS IAM "unique identifiers", Google Cloud "API keys", Azure "connection strings", and the API references
of the services below. What only identifies (Stripe ``pk_``, AWS ``AROA…``, Twilio ``AC…``) is not hidden.

A prefix that no word ends with is taken wherever it stands, also after the ``n`` of a ``\n`` that a ``repr`` made of a
line end. The others need an edge before them.
"""

import re
from functools import partial

from fapilog.coerce import MASK
from fapilog.redaction.rule import Rule

_EDGE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
_SOME_DIGIT = r"(?=[A-Za-z_\-]{0,64}[0-9])"

_AFTER_UNDERSCORE = r"_(?:[A-Za-z0-9+/]{16}|(?<=(?:pat|tkn|_pw)_)[\w\-]{16})"
_AFTER_DASH = r"-(?<=[ktsrpiyXK]-)[A-Za-z0-9_\-]{12}"
_AFTER_DOT = r"\.(?:(?<=SG\.)|(?<=hv[sbr]\.)|(?<=ya29\.)|(?<=dp\.[a-z][a-z]\.)|[\w\-]{6}\.[\w\-]{27})"

_CLOUD = re.compile(
    r"(?<![A-Z0-9])A[KSB]IA[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS access key ids
    r"|AIza[\w\-]{30,}"  # Google API keys
    r"|ya29\.[\w\-.]{16,}"  # Google access tokens
    r"|GOCSPX-[\w\-]{20,}"  # Google client secrets
    r"|do[oprt]_v1_[0-9a-f]{32,}"  # DigitalOcean
    r"|[\w~.\-]{3}8Q~[\w~.\-]{30,}"  # Entra ID client secrets
    r"|hv[sbr]\.[\w\-]{20,}"  # HashiCorp Vault
    r"|dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9.]{30,}"  # Doppler
)  # fmt: skip
_CLOUD_NAMED = re.compile(
    r"(?:(?:Account|SharedAccess)(?:Key|Signature)"
    r"|[Ss][Ee][Cc][Rr][Ee][Tt][_ ]?(?:[Aa][Cc][Cc][Ee][Ss][Ss])?[_ ]?[Kk][Ee][Yy])"
    r"[\"'\\]{0,4}[ \t]{0,4}[=:]>?[ \t]{0,4}[\"'\\]{0,4}(?P<secret>[A-Za-z0-9+/=%]{32,}+)"
)

_VCS = re.compile(
    r"gh[opusr]_[A-Za-z0-9_]{16,}"  # GitHub
    r"|github_pat_\w{20,}"
    r"|gl(?:pat|oas|dt|rtr?|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[\w\-.]{16,}"  # GitLab
    r"|ATBB[A-Za-z0-9]{24,}"  # Bitbucket app passwords
    r"|AT[AC]TT3[\w\-=]{32,}"  # Atlassian
)  # fmt: skip

_SERVICES = re.compile(
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"  # Stripe
    r"|whsec_[A-Za-z0-9+/=]{16,}"  # Stripe, Svix
    r"|xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{10,}"  # Slack
    r"|xapp-[0-9]-[A-Za-z0-9\-]{10,}"
    r"|(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/\-]{8,}"
    r"|(?<=/api/webhooks/)[0-9]{10,}/[\w\-]{20,}"  # Discord
    r"|(?<=webhook\.office\.com/)webhookb2/[\w/@\-]{20,}"  # Microsoft Teams
    rf"|{_EDGE}sk-{_SOME_DIGIT}[A-Za-z0-9_\-]{{20,}}"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    rf"|{_EDGE}SG\.[\w\-]{{16,}}(?:\.[\w\-]*)?"  # SendGrid
    rf"|{_EDGE}SK[0-9a-f]{{32}}(?![0-9A-Za-z])"  # Twilio
    rf"|{_EDGE}key-[0-9a-f]{{32}}(?![0-9A-Za-z])"  # Mailgun
    r"|npm_[A-Za-z0-9]{20,}"
    r"|pypi-A[\w\-]{16,}"
    rf"|{_EDGE}hf_[A-Za-z0-9]{{20,}}"  # Hugging Face
    rf"|{_EDGE}gsk_[A-Za-z0-9]{{20,}}"  # Groq
    rf"|{_EDGE}r8_[A-Za-z0-9]{{20,}}"  # Replicate
    rf"|{_EDGE}pplx-[A-Za-z0-9]{{20,}}"  # Perplexity
    r"|shp(?:at|ca|pa|ss|tka)_[0-9A-Fa-f]{20,}"  # Shopify
    r"|sq0[a-z]{3}-[\w\-]{20,}"  # Square
    r"|dckr_pat_[\w\-]{16,}"  # Docker
    r"|glsa_[A-Za-z0-9]{20,}(?:_[0-9a-f]{8})?"  # Grafana
    r"|lin_api_[A-Za-z0-9]{20,}"  # Linear
    rf"|{_EDGE}(?:ntn|secret)_[A-Za-z0-9]{{32,}}"  # Notion
    r"|pscale_(?:tkn|pw|oauth)_[\w\-.]{16,}"  # PlanetScale
    r"|sntry[su]_[\w+/=\-]{20,}"  # Sentry
    rf"|{_EDGE}sbp_[0-9a-f]{{20,}}"  # Supabase
    r"|NRAK-[A-Z0-9]{20,}"  # New Relic
    r"|PMAK-[0-9a-f\-]{20,}"  # Postman
    r"|(?<![0-9])[0-9]{8,10}:[A-Za-z0-9_\-]{35}(?![A-Za-z0-9])"  # Telegram bots
    rf"|{_EDGE}[MNO][\w\-]{{23,27}}\.[\w\-]{{6}}\.[\w\-]{{27,}}"  # Discord bots
)  # fmt: skip


def _hide_named(text: str) -> str:
    pieces, done = [], 0
    for match in _CLOUD_NAMED.finditer(text):
        pieces += [text[done : match.start("secret")], MASK]
        done = match.end()
    return "".join([*pieces, text[done:]]) if pieces else text


CLOUD_KEY = Rule(
    hide=lambda text: _hide_named(_CLOUD.sub(MASK, text)),
    signs=(
        r"I(?<=A[KSB]I)A[A-Z0-9]{16}", r"z(?<=AIz)a", _AFTER_UNDERSCORE, _AFTER_DASH, _AFTER_DOT, r"~(?<=8Q~)",
        r"K(?<=[ts_ ]K)(?:ey|EY)[\"'\\ \t]{0,8}[=:]", r"k(?<=[ts_ ]k)ey[\"'\\ \t]{0,8}[=:]",
    ),
)  # fmt: skip
VCS_KEY = Rule(
    hide=partial(_VCS.sub, MASK), signs=(_AFTER_UNDERSCORE, _AFTER_DASH, r"B(?<=ATB)B[A-Za-z0-9]{16}", r"x(?<=TT3x)F")
)
SERVICE_KEY = Rule(
    hide=partial(_SERVICES.sub, MASK),
    signs=(
        _AFTER_UNDERSCORE, _AFTER_DASH, _AFTER_DOT, r"x(?:(?<=xox)|(?<=pplx)-)", r"k(?<=hook)[s.]",
        r"K(?<=SK)[0-9a-f]{16}", r":(?<=[0-9]:)[A-Za-z0-9_\-]{35}",
    ),
)  # fmt: skip
