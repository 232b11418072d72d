"""Sets of rules, as data. They can be put together; what one hides no other shows.

A preset follows the sources it names as far as a program can see: what a law or a standard lists stands here by the
names that fields commonly have, and by forms that can be recognised. It is no legal advice.

None masks ``name`` alone, which is as often that of a service, a file or a plan: ``fields=["user.name"]`` says whose it
is. None masks what fapilog itself writes, but for the client's address: ``client_ip`` is an online identifier (GDPR,
Recital 30) and listed as such by CCPA and HIPAA. Identifiers that only the application can resolve (``user_id``,
``request_id``) stay, for without them nobody could follow a request: they are pseudonyms, still personal data, and
whoever must not keep them adds them to ``fields``. ``path`` is kept, too; where paths name persons, remove it and
look at ``http_route``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.redaction import vocabulary
from fapilog.redaction.names import parsed

_WHERE = "with_redaction(presets)"


@dataclass(frozen=True)
class RedactionPreset:
    """A set of rules; also to be made by users.

    Attributes:
        name: How ``with_redaction`` and the environment call it.
        fields: Names that are masked, by the grammar of :mod:`fapilog.redaction.names`; no paths.
        harmless: Names that look like these and are not.
        size_fields: Names of bulk fields, which only tell their size.
        kinds: Content rules, see :mod:`fapilog.redaction.text`.
        max_text: Longer texts are cut, characters; None for no limit.
        sources: Where the rules come from, and what each gives.
    """

    name: str
    fields: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    size_fields: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    max_text: int | None = None
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values; which kinds there are is known to those who apply them.

        Raises:
            ConfigError: If one cannot be used.
        """
        checks.text(self.name, "RedactionPreset(name)")
        for option in ("fields", "harmless", "size_fields", "kinds", "sources"):
            values = checks.texts(getattr(self, option), f"RedactionPreset({option})")
            object.__setattr__(self, option, tuple(dict.fromkeys(values)))
        for option in ("fields", "harmless", "size_fields"):
            for rule in getattr(self, option):
                if "." in rule or "[" in rule:
                    raise ConfigError.wrong(f"RedactionPreset({option})", rule, "names; a path goes to `fields`")
                parsed(rule, f"RedactionPreset({option})")
        if self.max_text is not None:
            checks.whole(self.max_text, "RedactionPreset(max_text)", 1)


CREDENTIALS = RedactionPreset(
    name="CREDENTIALS",
    fields=(*vocabulary.CREDENTIAL_NAMES, *vocabulary.CREDENTIAL_HEADERS),
    harmless=vocabulary.NOT_CREDENTIALS,
    kinds=(
        "authorization",
        "jwt",
        "pem",
        "cloud_key",
        "vcs_key",
        "service_key",
        "url_userinfo",
        "url_query",
        "key_value",
    ),
    sources=(
        "OWASP Logging Cheat Sheet, Data to exclude: access tokens, authentication passwords, session identifiers",
        "OWASP Logging Cheat Sheet, Data to exclude: database connection strings, encryption keys, primary secrets",
        "CWE-532: secrets in log files as a weakness of their own",
        "RFC 9110, sections 11.6.2 and 11.7.2: Authorization, Proxy-Authorization",
        "RFC 6265, sections 4.1 and 4.2: Set-Cookie, Cookie",
        "RFC 6749, sections 2.3.1, 4.1.3, 5.1: client_secret, authorization code, access_token, refresh_token",
        "RFC 7521, section 4.2: client_assertion; RFC 7636, section 4.5: code_verifier",
        "RFC 8628, section 3.2: device_code, user_code; RFC 9449, section 4.1: DPoP",
        "OpenID Connect Core 1.0, sections 2 and 3.1.2.1: id_token, id_token_hint",
    ),
)

CONTENT_PATTERNS = RedactionPreset(
    name="CONTENT_PATTERNS",
    size_fields=vocabulary.BULK,
    kinds=("card", "iban", "ssn"),
    max_text=16_384,
    sources=(
        "ISO/IEC 7812-1, annex B: the check digit of card numbers",
        "ISO 13616-1 and ISO/IEC 7064 MOD 97-10: lengths and check digits of IBANs",
        "US Social Security Administration, POMS RM 10201.035: numbers that are never assigned",
        "OWASP Logging Cheat Sheet, Data to exclude: bank account or payment card holder data",
        "CWE-779: logging of excessive data; bodies and payloads by their size, long texts cut",
    ),
)

PII = RedactionPreset(
    name="PII",
    fields=(
        *vocabulary.PERSONS,
        *vocabulary.CONTACT,
        *vocabulary.ADDRESSES,
        *vocabulary.BIRTH,
        *vocabulary.NATIONAL_IDS,
        *vocabulary.BANKING,
    ),
    kinds=("email", "phone", "ssn", "iban"),
    sources=(
        "NIST SP 800-122, section 2.2: name, personal identification number, address, telephone number",
        "NIST SP 800-122, section 2.2: date and place of birth, financial account or credit card number",
        "OMB Circular A-130 (2016), section 10(a)(57): what distinguishes or traces an individual's identity",
    ),
)

GDPR_PII = RedactionPreset(
    name="GDPR_PII",
    fields=(
        # Article 4(1): a name, an identification number; Article 87: national identification numbers
        *PII.fields,
        # Article 4(1): an online identifier; Recital 30: addresses, client_ip among them, cookies, devices
        *vocabulary.LOGIN_NAMES,
        *vocabulary.NETWORK,
        *vocabulary.DEVICES,
        # Article 4(1): location data
        *vocabulary.LOCATION,
        # Articles 9(1) and 10, with the definitions of Article 4(13) to (15)
        *vocabulary.INTIMATE,
        *vocabulary.BIOMETRICS,
        *vocabulary.HEALTH,
    ),
    harmless=vocabulary.OUR_ADDRESSES,
    kinds=PII.kinds,
    sources=(
        "Regulation (EU) 2016/679, Article 4(1): name, identification number, location data, online identifier",
        "Regulation (EU) 2016/679, Recital 30: internet protocol addresses, cookie and device identifiers",
        "Regulation (EU) 2016/679, Article 9(1): origin, opinions, beliefs, union membership, genetic data",
        "Regulation (EU) 2016/679, Article 9(1): biometric data, health, sex life, sexual orientation",
        "Regulation (EU) 2016/679, Article 10: criminal convictions and offences",
        "Regulation (EU) 2016/679, Article 87: national identification numbers",
    ),
)

CCPA_PII = RedactionPreset(
    name="CCPA_PII",
    fields=(
        # identifiers by (v)(1)(A), and by (B) with section 1798.80(e)
        *PII.fields,
        *vocabulary.CARDS,
        # (v)(1)(A): unique personal identifier, online identifier, internet protocol address, account name
        *vocabulary.LOGIN_NAMES,
        *vocabulary.NETWORK,
        *vocabulary.DEVICES,
        # protected classifications by (v)(1)(C) and (E), and by (ae)(1)(D) and (F), (ae)(2)
        *vocabulary.INTIMATE,
        *vocabulary.BIOMETRICS,
        *vocabulary.HEALTH,
        # records and inferences by (v)(1)(D), (F), (I), (J), (K), and by (ae)(1)(E)
        *vocabulary.PROFILE,
        # geolocation by (v)(1)(G), precise geolocation by (ae)(1)(C)
        *vocabulary.LOCATION,
    ),
    harmless=vocabulary.OUR_ADDRESSES,
    kinds=(*PII.kinds, "card"),
    sources=(
        "California Civil Code 1798.140(v)(1)(A): names, addresses, online identifiers, IP address, account name",
        "California Civil Code 1798.140(v)(1)(A): social security, driver's license and passport number",
        "California Civil Code 1798.140(v)(1)(B) with 1798.80(e): telephone, insurance policy, bank and card numbers",
        "California Civil Code 1798.140(v)(1)(C) to (E): protected classifications, purchases, biometric information",
        "California Civil Code 1798.140(v)(1)(F) to (K): network activity, geolocation, employment, education",
        "California Civil Code 1798.140(v)(1)(L) with (ae): sensitive personal information",
    ),
)

HIPAA_PHI = RedactionPreset(
    name="HIPAA_PHI",
    fields=(
        # names are (A)
        *vocabulary.PERSONS,
        *vocabulary.LOGIN_NAMES,
        # geographic subdivisions smaller than a state, and geocodes: (B)
        *vocabulary.ADDRESSES,
        *vocabulary.REGIONS,
        *vocabulary.LOCATION,
        # dates of a person: (C); those of treatment, and ages, are in HIPAA_NUMBERS
        *vocabulary.BIRTH,
        # telephone, fax, electronic mail: (D) to (F)
        *vocabulary.CONTACT,
        # numbers of social security, accounts, licences: (G), (J), (K)
        *vocabulary.NATIONAL_IDS,
        *vocabulary.BANKING,
        *vocabulary.CARDS,
        # (H) medical record, (I) health plan, (K) certificate, (L) vehicle, (N) URLs, (R) other unique numbers
        *vocabulary.HIPAA_NUMBERS,
        # (M) device identifiers and serial numbers, (O) IP addresses, client_ip among them
        *vocabulary.DEVICES,
        *vocabulary.NETWORK,
        # (P) finger and voice prints, (Q) photographs of the face
        *vocabulary.BIOMETRICS,
        # what the identifiers make protected health information
        *vocabulary.HEALTH,
    ),
    harmless=vocabulary.OUR_ADDRESSES,
    kinds=PII.kinds,
    sources=(
        "45 CFR 164.514(b)(2)(i)(A)-(C): names; geographic subdivisions; dates but for the year, ages over 89",
        "45 CFR 164.514(b)(2)(i)(D)-(G): telephone and fax numbers, e-mail addresses, social security numbers",
        "45 CFR 164.514(b)(2)(i)(H)-(K): medical record, health plan beneficiary, account, certificate numbers",
        "45 CFR 164.514(b)(2)(i)(L)-(O): vehicle and device identifiers, URLs of a person, IP addresses",
        "45 CFR 164.514(b)(2)(i)(P)-(R): biometric identifiers, photographs, other unique identifying numbers",
        "45 CFR 160.103: individually identifiable health information",
    ),
)

PCI_DSS = RedactionPreset(
    name="PCI_DSS",
    fields=(*vocabulary.CARDS, *vocabulary.CARD_SECRETS),
    kinds=("card",),
    sources=(
        "PCI DSS v4.0.1, requirement 3.3.1.1: the full contents of any track are not stored after authorization",
        "PCI DSS v4.0.1, requirement 3.3.1.2: the card verification code is not",
        "PCI DSS v4.0.1, requirement 3.3.1.3: the PIN and the PIN block are not",
        "PCI DSS v4.0.1, requirement 3.4.1: the PAN is masked when displayed; here all of it, not all but ten digits",
        "PCI DSS v4.0.1, requirement 3.5.1: the PAN is unreadable anywhere it is stored, logs among them",
        "PCI DSS v4.0.1, section 4, account data: cardholder name, expiration date, service code beside a PAN",
    ),
)

PRESETS = {
    preset.name: preset for preset in (CREDENTIALS, CONTENT_PATTERNS, PII, GDPR_PII, CCPA_PII, HIPAA_PHI, PCI_DSS)
}


def preset_named(preset: str | RedactionPreset) -> RedactionPreset:
    """Return the preset of a name, in any case; a preset is returned as it is.

    Raises:
        ConfigError: If there is none of that name.
    """
    if isinstance(preset, RedactionPreset):
        return preset
    if not isinstance(preset, str):
        raise ConfigError.hidden(_WHERE, preset, f"{', '.join(PRESETS)}, or a RedactionPreset")
    found = PRESETS.get(preset.strip().upper().replace("-", "_"))
    if found is None:
        raise ConfigError.unknown(_WHERE, preset, PRESETS)
    return found


def combined(presets: Iterable[str | RedactionPreset]) -> RedactionPreset:
    """Return one preset that hides all that these hide. A name is harmless if one says so and none has it as a field.

    Raises:
        ConfigError: If there is no preset of a name.
    """
    found = [preset_named(preset) for preset in presets]
    limits = [preset.max_text for preset in found if preset.max_text is not None]
    fields = tuple(dict.fromkeys(rule for preset in found for rule in preset.fields))
    return RedactionPreset(
        name="+".join(preset.name for preset in found) or "none",
        fields=fields,
        harmless=tuple(dict.fromkeys(rule for preset in found for rule in preset.harmless if rule not in fields)),
        size_fields=tuple(dict.fromkeys(rule for preset in found for rule in preset.size_fields)),
        kinds=tuple(dict.fromkeys(kind for preset in found for kind in preset.kinds)),
        max_text=min(limits, default=None),
        sources=tuple(dict.fromkeys(source for preset in found for source in preset.sources)),
    )
