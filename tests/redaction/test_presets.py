"""Presets: data that can be read, with sources, and without false alarms on what every event has."""

import pytest

from fapilog.errors import ConfigError
from fapilog.redaction.names import KEEP, MASKED, NameRules
from fapilog.redaction.paths import is_path
from fapilog.redaction.presets import (
    CONTENT_PATTERNS,
    CREDENTIALS,
    GDPR_PII,
    PCI_DSS,
    PII,
    PRESETS,
    RedactionPreset,
    combined,
    preset_named,
)
from fapilog.redaction.text import KINDS

OWN = """
timestamp level logger message request_id trace_id span_id trace_flags exception stack service env version host pid
http_method http_route path status_code duration_ms total_ms request_bytes response_bytes user_agent outcome
""".split()  # noqa: SIM905
CLIENT_ADDRESS_MASKED = {"GDPR_PII", "CCPA_PII", "HIPAA_PHI"}
NOBODYS = """
name service_name logger_name file_name filename hostname host_name plan_name table_name column_name class_name
function_name first_seen last_seen last_modified full_path address server_address memory_address port url method
user_id tenant_id order_id id state country currency amount quantity total status code error error_code retry_count
microphone headphones smartphone streetwise streets_count capacity electricity velocity birthdays_sent
""".split()  # noqa: SIM905

MASKED_BY = {
    "PII": """
        email user_email eMail email1 emailAddress email_hash phone phoneNumber mobile_number firstName last_name
        lastname full_name surname date_of_birth dob birthDate street address_line_1 postal_code zip_code ssn SSN
        user_ssn socialSecurityNumber passport passport_no passportNumber drivers_license_number
        tax_id national_id aadhaar iban
        bank_account account_number customer.email billing_address
    """,
    "GDPR_PII": """
        client_ip ip remote_addr x-forwarded-for X-Real-IP HTTP_X_FORWARDED_FOR device_id cookie_id mac_address latitude
        lng geolocation religion ethnicity political_opinions trade_union sexual_orientation genetic_data biometric_data
        diagnosis health_data criminal_record username email client.address
    """,
    "CCPA_PII": """
        client_ip account_name device_id card_number credit_card browsing_history purchase_history salary
        employment_history geolocation immigration_status biometric_template email signature_image policy_number
    """,
    "HIPAA_PHI": """
        patient_name city county zip geocode admission_date discharge_date date_of_death age phone fax email ssn mrn
        medical_record_number health_plan_number beneficiary_id member_id account_number certificate_number vin
        license_plate device_serial_number serial_number profile_url client_ip voice_print fingerprint_scan face_image
        photo patient_id diagnosis prescription lab_results
    """,
    "PCI_DSS": """
        pan card_number cardNumber cardnumber CardNo cc_number credit_card primary_account_number cvv CVV2 cvc card_cvc
        card_verification_code security_code pin pin_block card_pin track1 track_2 track1_data trackData magstripe
        cardholder_name card_holder exp_month card_expiry expiry_date name_on_card
    """,
}
OPEN_WITH = {
    "PII": "username client_ip user_agent name city device_id",
    "GDPR_PII": "k8s.pod.ip pod_ip host_ip server_ip fingerprint health health_check user_id race_condition latency",
    "CCPA_PII": "k8s.pod.ip health search_count purchase_id",
    "HIPAA_PHI": "url http_route path health page message image_count usage storage average",
    "PCI_DSS": "card card_brand last4 card_type pan_x spin opinion tracker track panel cert_expiry_date",
}


def rules(preset: RedactionPreset) -> NameRules:
    return NameRules(mask=preset.fields, size=preset.size_fields, allow=preset.harmless)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_preset_can_be_read(preset):
    """Rules are names, kinds are those that content rules know, and each thing stands once."""
    for rule in (*preset.fields, *preset.size_fields, *preset.harmless):
        assert not is_path(rule)
        NameRules(mask=[rule])
    assert set(preset.kinds) <= set(KINDS)
    for values in (preset.fields, preset.size_fields, preset.harmless, preset.kinds, preset.sources):
        assert len(values) == len(set(values))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_preset_says_where_it_comes_from(preset):
    """A source is a law or standard with its section, and what it gives."""
    assert preset.sources
    assert all(any(sign.isdigit() for sign in source) or "OWASP" in source for source in preset.sources)
    assert all(": " in source for source in preset.sources)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_no_preset_hides_what_fapilog_itself_writes(preset):
    """Only the client's address, by those whose law counts it as personal."""
    verdict = rules(preset).verdict

    assert [name for name in OWN if verdict(name) != KEEP] == []
    assert (verdict("client_ip") == MASKED) == (preset.name in CLIENT_ADDRESS_MASKED)


@pytest.mark.parametrize(("name", "fields"), [(name, field) for name in MASKED_BY for field in MASKED_BY[name].split()])
def test_a_preset_masks_what_its_sources_list(name, fields):
    """By the names that such fields commonly have."""
    assert rules(PRESETS[name]).verdict(fields) == MASKED


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in OPEN_WITH for field in OPEN_WITH[name].split()])
def test_a_preset_leaves_alone_what_only_sounds_alike(name, field):
    """A pod's address is nobody's, a pan is not in a panel."""
    assert rules(PRESETS[name]).verdict(field) == KEEP


@pytest.mark.parametrize("field", NOBODYS)
def test_no_preset_masks_what_is_about_nobody(field):
    """All of them together leave the names that programs are made of."""
    assert rules(combined(PRESETS)).verdict(field) == KEEP


def test_presets_add_up():
    """What one hides the sum hides; the shortest limit counts; nothing stands twice."""
    both = combined(["credentials", CONTENT_PATTERNS, "Pii", RedactionPreset("own", fields=("*pet",), max_text=100)])

    assert both.name == "CREDENTIALS+CONTENT_PATTERNS+PII+own"
    assert set(both.fields) == {*CREDENTIALS.fields, *PII.fields, "*pet"}
    assert set(both.kinds) == {*CREDENTIALS.kinds, *CONTENT_PATTERNS.kinds, *PII.kinds}
    assert both.max_text == 100
    assert len(both.kinds) == len(set(both.kinds))
    assert combined([]) == RedactionPreset("none")
    assert set(PII.fields) < set(GDPR_PII.fields)


def test_what_one_preset_masks_by_name_another_does_not_call_harmless():
    """Adding a preset never shows more."""
    strict = RedactionPreset("strict", fields=("*page_token",))

    assert rules(CREDENTIALS).verdict("next_page_token") == KEEP
    assert rules(combined([CREDENTIALS, strict])).verdict("next_page_token") == MASKED


@pytest.mark.parametrize("given", ["PCI_DSS", "pci_dss", " Pci-Dss ", PCI_DSS])
def test_a_preset_is_found_by_its_name_in_any_case(given):
    """Or is one already."""
    assert preset_named(given) is PCI_DSS


def test_an_unknown_preset_is_an_error_that_helps():
    """It says what there is, and the nearest."""
    with pytest.raises(ConfigError, match=r"with_redaction\(presets\).*HIPAA_PHI.*Did you mean 'GDPR_PII'"):
        preset_named("GDPR")
    with pytest.raises(ConfigError, match=r"with_redaction\(presets\)"):
        preset_named(7)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": None},
        {"fields": "ssn"},
        {"fields": ("a.b",)},
        {"fields": ("a[0]",)},
        {"fields": ("*",)},
        {"size_fields": (7,)},
        {"harmless": None},
        {"kinds": (b"card",)},
        {"max_text": 0},
        {"max_text": True},
        {"sources": {"a": 1}},
    ],
    ids=str,
)
def test_a_preset_of_the_users_own_is_checked(wrong):
    """What is no preset is a ConfigError that names the attribute."""
    with pytest.raises(ConfigError, match=f"RedactionPreset\\({next(iter(wrong))}\\)"):
        RedactionPreset(**{"name": "own", **wrong})
