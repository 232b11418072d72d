"""The names that fields with secrets and personal data commonly have: the words that the presets are made of.

By the grammar of :mod:`fapilog.redaction.names`: ``ssn`` is a whole name, ``*api_key`` ends with these words,
``**password`` with these letters. Two stars only stand before what no other word ends with.
"""

from itertools import product


def _numbered(*names: str) -> tuple[str, ...]:
    """Return names that a number has: ``passport``, ``passport_number``, ``passport_no``, at the end of any name."""
    return tuple(f"*{name}{end}" for name, end in product(names, ("", "_number", "_no", "_num", "_nr")))


CREDENTIAL_NAMES = (
    # passwords, and what stands in for them
    "**password", "**passwords", "**passwd", "**passphrase", "**passcode", "**pwd", "**passwort", "**kennwort",
    "*mot_de_passe", "**contraseña", "**contrasena", "**wachtwoord", "*senha", "*password_hint", "*password_verify",
    "pass", "*db_pass", "*database_pass", "*user_pass", "*auth_pass", "*login_pass", "*smtp_pass", "*mail_pass",
    "*email_pass", "*ftp_pass", "*ssh_pass", "*http_pass", "*redis_pass", "*mysql_pass", "*pg_pass", "*postgres_pass",
    "*mongo_pass", "*admin_pass", "*root_pass", "*key_pass", "dbpass", "userpass", "sshpass", "*pin_code",
    # codes for one time
    "*otp", "*otps", "*totp", "*otp_code", "*mfa_code", "*verification_code", "*backup_code", "*backup_codes",
    "*recovery_code", "*recovery_codes", "*one_time_code", "*security_answer", "*secret_answer", "*magic_link",
    "*reset_link",
    # secrets; who has AppRole's secret_id beside the role's may log in
    "**secret", "**secrets", "*secret_id", "*otp_seed", "*seed_phrase", "*recovery_phrase", "*mnemonic_phrase",
    # keys; not those that find something: public, primary, partition, cache, sort, routing, idempotency
    "**api_key", "**api_keys", "**secret_key", "**secret_keys", "**private_key", "**private_keys", "**access_key",
    "**access_keys", "**encryption_key", "*encryption_keys", "*decryption_key", "**signing_key", "*signing_keys",
    "*signature_key", "*master_key", "*account_key", "*shared_key", "*auth_key", "*authentication_key", "*session_key",
    "*ssh_key", "*deploy_key", "*app_key", "*application_key", "*service_role_key", "*subscription_key",
    "*functions_key", "*webhook_key", "*license_key", "*licence_key", "*crypto_key", "*cipher_key",
    "*aes_key", "*hmac_key", "*jwt_key", "*rsa_key", "*unseal_key", "*unseal_keys", "*recovery_key", "*root_key",
    "*admin_key", "*psk", "*private_pem", "*keytab", "*kubeconfig",
    # tokens; `tokens` are words of a language model more often than secrets
    "*token", "**access_token", "**access_tokens", "**refresh_token", "**refresh_tokens", "**auth_token",
    "**auth_tokens", "**bearer_token", "**csrf_token", "**xsrf_token", "**session_token", "**api_token",
    "**api_tokens", "**id_token", "**jwt_token", "**bot_token", "csrfmiddlewaretoken", "*token_hint", "*csrf", "*xsrf",
    "*jwt", "*jwts", "*bearer", "*jwt_assertion", "*client_assertion", "*saml_response", "*saml_request",
    "*saml_assertion", "*auth_code", "*authorization_code", "*code_verifier", "*device_code", "user_code",
    # what a login is made of, and what stands for a session
    "*authorization", "auth", "*basic_auth", "*http_auth", "*proxy_auth", "*auth_header", "*credential", "*credentials",
    "*creds", "*cred", "*cookie", "*cookies", "**session_id", "*session_ids", "**sessid", "connect_sid",
    # how to reach a database, password and all
    "*connection_string", "*connection_strings", "*conn_string", "*conn_str", "*dsn", "*service_account_json",
    "*shared_access_signature",
)  # fmt: skip

CREDENTIAL_HEADERS = (
    "x_auth", "dpop", "x_amzn_oidc_data", "http_x_amzn_oidc_data", "http_dpop", "http_x_auth",
    "*hub_signature", "*hub_signature_256", "*slack_signature", "*stripe_signature", "*shopify_hmac_sha_256",
    "*twilio_signature", "*amz_signature", "*amz_credential", "*goog_signature", "*goog_credential",
    "aws_access_key_id", "x_log_level", "http_x_log_level", "fapilog_console", "x_ms_authorization_auxiliary",
)  # fmt: skip
"""Headers that no rule for names covers, with the forms of CGI and WSGI; and the keys of signed URLs."""

NOT_CREDENTIALS = (
    # places in a list of results
    "*page_token", "*next_token", "*continuation_token", "*sync_token", "*cursor_token", "*cancellation_token",
    # parts of a language, and what they cost
    "*start_token", "*end_token", "*stop_token", "*eos_token", "*bos_token", "*pad_token", "*unk_token", "*sep_token",
    "*cls_token", "*mask_token", "*special_token", "*per_token", "*per_input_token", "*per_output_token",
    "*to_first_token", "*cookie_consent",
    # parts of a payment, not of a login
    "*payment_authorization", "*pre_authorization", "preauthorization",
)  # fmt: skip

BULK = (
    "body", "*request_body", "*response_body", "*raw_body", "*http_body", "*html_body", "*xml_body", "*json_body",
    "*message_body", "*email_body", "*mail_body", "body_text", "body_html",
    "*payload", "*payloads", "raw", "raw_data", "raw_request", "raw_response", "raw_content", "raw_bytes", "raw_html",
    "raw_xml", "raw_json", "raw_message", "raw_event", "raw_email",
    "*request_data", "*response_data", "*request_content", "*response_content", "*response_text", "*request_json",
    "*response_json", "*response_html", "form_data", "post_data", "multipart", "html", "*page_source",
    "blob", "*blobs", "binary", "*binary_data", "*file_content", "*file_contents", "*file_data", "*file_bytes",
    "*image_data", "*base64_data", "attachment", "attachments", "*attachment_data", "*screenshot",
)  # fmt: skip
"""``status_body``, ``antibody``, ``body_size`` and ``content`` are not among them: short, or something else."""

PERSONS = (
    "*first_name", "**lastname", "*middle_name", "*full_name", "*given_name", "*family_name", "**surname", "*forename",
    "*maiden_name", "*birth_name", "*real_name", "*person_name", "*customer_name", "*patient_name", "*employee_name",
    "*contact_name", "*recipient_name", "*guest_name", "*passenger_name", "*student_name", "*account_holder",
    "*account_holder_name", "*card_holder", "*card_holder_name", "*name_on_card", "*next_of_kin", "*emergency_contact",
    "**firstname", "**fullname",
)  # fmt: skip

CONTACT = (
    "*email", "*emails", "*email_address", "*email_addresses", "*mail_address", "*phone", "*phones", "*phone_number",
    "*phone_numbers", "*phone_no", "*phone_num", "*telephone", "*telephone_number", "*tel", "mobile", "*mobile_number",
    "*mobile_no", "*cell_phone", "*cell_number", "*msisdn", "*fax", "*fax_number", "*whatsapp_number",
)  # fmt: skip

ADDRESSES = (
    "*street", "*street_address", "*street_name", "*street_number", "*house_number", "*home_address", "*postal_address",
    "*mailing_address", "*billing_address", "*shipping_address", "*delivery_address", "*residential_address",
    "*customer_address", "*patient_address", "*address_line", "address1", "address2", "*postal_code", "*postcode",
    "*zip_code",
)  # fmt: skip
"""``address`` alone is as often one of a machine or in memory."""

REGIONS = ("zip", "*city", "*county", "*precinct", "*municipality", "*borough", "*geocode", "*district")

BIRTH = (
    "*date_of_birth", "*birth_date", "*birthday", "*birth_day", "*dob", "*place_of_birth", "*birth_place", "birth_year",
)  # fmt: skip

NATIONAL_IDS = (
    *_numbered(
        "ssn", "social_security", "social_insurance", "national_id", "national_identification", "national_insurance",
        "tax_id", "taxpayer_id", "passport", "driver_license", "drivers_license", "driver_licence", "drivers_licence",
        "driving_licence", "driving_license", "id_card", "identity_card", "state_id_card", "voter_id",
        "residence_permit",
    ),
    "*tax_number", "*taxpayer_number", "*taxpayer_identification_number", "*vat_number", "*identity_number",
    "*personal_number", "*license_number", "*licence_number", "*visa_number", "*state_id_number", "*nhs_number",
    "*medicare_number",
    "*nino", "*itin", "*bsn", "*dni", "*cpf", "*curp", "*pesel", "*personnummer", "*codice_fiscale", "*steuer_id",
    "*aadhaar", "*aadhaar_number", "*aadhar", "*pan_number", "*hkid", "*nric", "*tfn",
)  # fmt: skip

BANKING = (
    *_numbered("iban", "bank_account"), "*account_number", "*account_no", "*routing_number", "*sort_code",
    "*bank_details", "*card_number", "*credit_card", "*credit_card_number", "*debit_card", "*debit_card_number",
)  # fmt: skip

LOGIN_NAMES = (
    "*username", "*user_name", "*login_name", "*account_name", "*screen_name", "*nickname", "*display_name",
    "*user_alias",
)  # fmt: skip

NETWORK = (
    "ip", "*client_ip", "*ip_address", "*ip_addresses", "*ip_addr", "*client_address", "*remote_ip", "*remote_addr",
    "*remote_address", "*user_ip", "*source_ip", "*src_ip", "*peer_ip", "*real_ip", "*caller_ip", "*connecting_ip",
    "*forwarded_for", "forwarded", "http_forwarded", "*mac_address",
)  # fmt: skip
"""Addresses of those who call. Those of pods, nodes and servers are in ``OUR_ADDRESSES``."""

OUR_ADDRESSES = tuple(
    f"*{ours}_{address}"
    for ours, address in product(
        ("pod", "host", "node", "server", "cluster", "service", "container"),
        ("ip", "ips", "ip_address", "ip_addr", "mac_address"),
    )
)

DEVICES = (
    "*device_id", "*device_ids", "*device_serial", "*device_serial_number", "*device_fingerprint",
    "*browser_fingerprint", "*advertising_id", "*ad_id", "*idfa", "*idfv", "*gaid", "*cookie_id", "*visitor_id",
    "*imei", "*imsi", "*iccid", "*meid", "*android_id", "*udid", "*rfid",
)  # fmt: skip

LOCATION = (
    "*latitude", "*longitude", "lat", "lng", "lon", "long_lat", "*lat_lng", "*lat_lon", "*geolocation", "*geo_location",
    "*coordinates", "*gps", "*gps_position", "*gps_location", "*home_location", "*precise_location",
)  # fmt: skip

INTIMATE = (
    "race", "*racial_origin", "*ethnicity", "*ethnic_origin", "*national_origin", "*nationality", "*citizenship",
    "*immigration_status", "*political_opinion", "*political_opinions", "*political_party", "*religion",
    "*religious_belief", "*religious_beliefs", "*philosophical_belief", "*philosophical_beliefs", "*trade_union",
    "*union_membership", "*genetic_data", "*dna", "*sex_life", "*sexual_orientation", "gender", "*gender_identity",
    "*marital_status", "*criminal_record", "*criminal_records", "*convictions", "*offences", "*disability",
)  # fmt: skip

BIOMETRICS = (
    "*biometric", "*biometrics", "*biometric_data", "*biometric_template", "*fingerprint_scan", "*fingerprint_image",
    "*fingerprint_template", "*voice_print", "*voice_sample", "*face_print", "*face_image", "*face_template",
    "*facial_image", "*face_embedding", "*iris_scan", "*retina_scan", "*photo", "*photos", "*photograph", "*selfie",
)  # fmt: skip
"""``fingerprint`` alone is one of an error, a build or a certificate; of a finger it is told by more words."""

HEALTH = (
    "*health_data", "*health_record", "*health_records", "*health_condition", "*medical_condition", "*medical_history",
    "*diagnosis", "*diagnoses", "*icd_code", "*icd10", "*icd10_code", "*prescription", "*prescriptions", "*medication",
    "*medications", "*treatment_plan", "*lab_result", "*lab_results", "*allergies", "*symptoms", "*blood_type",
    "*blood_group", "*vaccination", "*vaccinations",
)  # fmt: skip

HIPAA_NUMBERS = (
    # (C) dates directly related to an individual, and ages, of which no name tells whether they are over 89
    "*admission_date", "*admitted_at", "*discharge_date", "*discharged_at", "*date_of_death", "*death_date",
    "*date_of_service", "*service_date", "*appointment_date", "*procedure_date", "age", "*patient_age",
    # numbers of (H) and (I)
    "*mrn", *_numbered("medical_record", "health_plan", "beneficiary", "insurance"), "*patient_id", "*patient_number",
    "*beneficiary_id", "*member_id", "*member_number", "*subscriber_id", "*insurance_id", "*policy_number",
    "*insurance_policy_number", "*group_number",
    # numbers of (K), (L) and (M)
    "*certificate_number", "*npi", "*dea_number", "*vin", "*vehicle_id", "*vehicle_identification_number",
    *_numbered("license_plate", "licence_plate", "number_plate"), "*plate_number", "*udi",
    "*serial_number",
    # addresses of (N), numbers of (R)
    "*personal_url", "*profile_url", "*homepage", "*patient_url", "*accession_number", "*specimen_id", "*encounter_id",
)  # fmt: skip

PROFILE = (
    "*insurance_policy_number", "*policy_number", "*signature_image", "*purchase_history", "*browsing_history",
    "*search_history", "*search_query", "*employment_history", "*education_history", "*education_records", "*salary",
    "*message_contents", "*sms_text", "*inferences", "*neural_data", "*voice_recording",
)  # fmt: skip

CARDS = (
    # the primary account number
    "pan", "*card_pan", "*primary_account_number", "**card_number", "*card_numbers", "*card_no", "*card_num",
    "*cc_number", "*cc_num", "*cc_no", "*ccn", "*credit_card", "**credit_card_number", "*debit_card",
    "*debit_card_number", "*payment_card",
    # cardholder data, protected where it stands beside the number
    "*card_holder", "*card_holder_name", "*name_on_card", "*card_expiry", "*card_expiration", "*card_expiration_date",
    "*card_expiry_date", "*card_exp", "expiry_date", "expiration_date", "exp_date", "*exp_month", "*exp_year",
    "*expiry_month", "*expiry_year", "*card_service_code",
)  # fmt: skip
"""Not ``card`` alone, which holds brand and last four digits as often; the number in it is found by its form."""

CARD_SECRETS = (
    "*cvv", "*cvc", "*csc", "*cvn", "*cav2", "*cid_code", "*card_cid", "*cvv_code", "*cvc_code", "*security_code",
    "*card_code", "*card_verification_code", "*card_verification_value", "*card_verification", "*card_security_code",
    "*pin", "*pins", "*pin_block", "*pin_number", "*pin_code", "*track1", "*track2", "*track3", "*track_data",
    "*track1_data", "*track2_data", "*full_track", "*magnetic_stripe", "*mag_stripe", "*magstripe", "*stripe_data",
    "*chip_data", "*icc_data", "*emv_data",
)  # fmt: skip
