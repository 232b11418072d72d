"""The builders' methods for sinks that send events to services over HTTP or gRPC; each takes its sink's options."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from fapilog.config.base import Filling
from fapilog.sinks.cloudwatch.options import CloudwatchOptions
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.loki.options import LokiOptions
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.webhook.options import WebhookOptions


class RemoteSinkMethods(Filling):
    """One method for each kind of sink. Each needs the extra of its name, such as ``pip install 'fapilog[http]'``."""

    def add_http(
        self,
        url: str,
        *,
        method: Literal["POST", "PUT"] = "POST",
        format: Literal["jsonl", "array"] = "jsonl",  # noqa: A002 - what it is called
        compression: Literal["none", "gzip", "zstd"] = "none",
        headers: Mapping[str, str] = {},
        bearer: str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        verify: bool = True,
        client_cert: str | None = None,
        client_key: str | None = None,
        timeout: float | str = "10s",
        allow_insecure: bool = False,
        name: str = "http",
    ) -> Self:
        """Send batches of events to a URL; a batch is taken when the answer is 2xx.

        Args:
            url: Where to; a user name and password in it are sent as basic authentication.
            method: ``"POST"`` or ``"PUT"``.
            format: ``"jsonl"``, a JSON object a line, or ``"array"``, one JSON array.
            compression: ``"gzip"`` or ``"zstd"`` compress the body.
            headers: More headers, by name.
            bearer: A token for ``Authorization``.
            username: For basic authentication.
            password: For basic authentication.
            ca_file: A PEM file of the certificate authorities to trust instead of the system's.
            verify: False takes any certificate.
            client_cert: A PEM file with the client's certificate.
            client_key: A PEM file with its key, if it is not in ``client_cert``.
            timeout: The longest that a request may take, all in all.
            allow_insecure: Let credentials go over plain http to another machine.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = HttpOptions(
            url=url,
            method=method,
            format=format,
            compression=compression,
            headers=headers,
            bearer=bearer,
            username=username,
            password=password,
            ca_file=ca_file,
            verify=verify,
            client_cert=client_cert,
            client_key=client_key,
            timeout=timeout,
            allow_insecure=allow_insecure,
            name=name,
        )
        self._sinks.append(choice)
        return self

    def add_webhook(
        self,
        url: str,
        secret: str,
        *,
        previous_secret: str | None = None,
        batch: bool = False,
        min_level: str | int = "WARNING",
        headers: Mapping[str, str] = {},
        ca_file: str | None = None,
        verify: bool = True,
        timeout: float | str = "10s",
        allow_insecure: bool = False,
        name: str = "webhook",
    ) -> Self:
        """Call a URL for events of a level and above, signed; needs the extra ``http``.

        Args:
            url: Where to; a user name and password in it are sent as basic authentication.
            secret: The key of the signatures, known to the receiver: at least 16 bytes, or ``whsec_`` and their base64.
            previous_secret: While the key is changed, the one before it: calls are signed with both.
            batch: One call for the events of a batch instead of one for each.
            min_level: Events below it are not sent.
            headers: More headers, by name.
            ca_file: A PEM file of the certificate authorities to trust instead of the system's.
            verify: False takes any certificate.
            timeout: The longest that a call may take, all in all.
            allow_insecure: Let credentials in ``url`` or ``headers`` go over plain http to another machine.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = WebhookOptions(
            url=url,
            secret=secret,
            previous_secret=previous_secret,
            batch=batch,
            min_level=min_level,
            headers=headers,
            ca_file=ca_file,
            verify=verify,
            timeout=timeout,
            allow_insecure=allow_insecure,
            name=name,
        )
        self._sinks.append(choice)
        return self

    def add_loki(
        self,
        url: str,
        labels: Mapping[str, str] = {},
        *,
        label_fields: Sequence[str] = ("level", "service", "env"),
        max_streams: int = 100,
        structured_metadata: Sequence[str] = ("request_id", "trace_id", "span_id", "event_id"),
        protocol: Literal["json", "protobuf"] = "json",
        compression: Literal["none", "gzip"] = "none",
        tenant: str | None = None,
        bearer: str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        verify: bool = True,
        client_cert: str | None = None,
        client_key: str | None = None,
        timeout: float | str = "10s",
        allow_insecure: bool = False,
        name: str = "loki",
    ) -> Self:
        """Push events to Grafana Loki.

        Args:
            url: Where Loki is; ``/loki/api/v1/push`` is added if there is no path.
            labels: Labels of all events, by name, such as ``{"app": "shop"}``.
            label_fields: Which fields become labels: of ``level``, ``logger``, ``service``, ``env``, ``version`` and
                ``host``.
            max_streams: Into how many streams these may part the events of a process; beyond it an event keeps
                ``labels`` and its level.
            structured_metadata: Which fields go beside the line; empty for a Loki that does not take it.
            protocol: ``"json"`` or ``"protobuf"``.
            compression: Of JSON: ``"none"`` or ``"gzip"``.
            tenant: Sent as ``X-Scope-OrgID``.
            bearer: A token.
            username: For basic authentication.
            password: For basic authentication.
            ca_file: A PEM file of the certificate authorities to trust instead of the system's.
            verify: Check Loki's certificate and host name.
            client_cert: A PEM file with the client's certificate.
            client_key: A PEM file with its key; default: it is in ``client_cert``.
            timeout: The longest that a batch may take, all in all.
            allow_insecure: Let credentials go over plain http to another machine.
            name: The sink's name in routes, figures and diagnostics.
        """
        options = LokiOptions(
            url, labels, label_fields=label_fields, max_streams=max_streams, structured_metadata=structured_metadata,
            protocol=protocol, compression=compression, tenant=tenant, bearer=bearer, username=username,
            password=password, ca_file=ca_file, verify=verify, client_cert=client_cert, client_key=client_key,
            timeout=timeout, allow_insecure=allow_insecure, name=name,
        )  # fmt: skip
        self._sinks.append(options)
        return self

    def add_otlp(
        self,
        endpoint: str | None = None,
        protocol: Literal["http/protobuf", "grpc"] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        compression: Literal["none", "gzip"] | None = None,
        timeout: float | str | None = None,
        ca_file: str | None = None,
        client_cert: str | None = None,
        client_key: str | None = None,
        insecure: bool = False,
        resource: Mapping[str, str] = {},
        name: str = "otlp",
    ) -> Self:
        """Send events as OpenTelemetry log records; what is None is read from ``OTEL_EXPORTER_OTLP_(LOGS_)…``.

        Args:
            endpoint: The whole URL, or for ``grpc`` one without a path; default a collector on this machine.
            protocol: ``"http/protobuf"`` or ``"grpc"``; default ``"http/protobuf"``.
            headers: Sent with each request, such as a token; default none.
            compression: ``"none"`` or ``"gzip"``; default ``"none"``.
            timeout: The longest that one request may take; default 10 s.
            ca_file: A PEM file of the certificate authorities to trust instead of the system's.
            client_cert: A PEM file with the client's certificate.
            client_key: A PEM file with its key, if it is not in ``client_cert``.
            insecure: gRPC without TLS to an endpoint without a scheme; credentials to other machines without TLS.
            resource: More attributes of the resource.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = OtlpOptions(
            endpoint=endpoint,
            protocol=protocol,
            headers=headers,
            compression=compression,
            timeout=timeout,
            ca_file=ca_file,
            client_cert=client_cert,
            client_key=client_key,
            insecure=insecure,
            resource=resource,
            name=name,
        )
        self._sinks.append(choice)
        return self

    def add_cloudwatch(
        self,
        group: str,
        stream: str | None = None,
        endpoint_url: str | None = None,
        *,
        region: str | None = None,
        create: bool = True,
        retention_days: int | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        timeout: float | str = "10s",
        name: str = "cloudwatch",
    ) -> Self:
        """Send events to a log group of Amazon CloudWatch Logs.

        Args:
            group: The log group.
            stream: The log stream, in which ``{host}`` and ``{pid}`` are filled; default ``"{host}/{pid}"``.
            endpoint_url: Another address of the service, such as that of a VPC endpoint; default AWS's own.
            region: The AWS region; default what boto3 finds.
            create: Whether to create the group and the stream where they are missing.
            retention_days: How long the group keeps events; default as it is.
            access_key_id: An access key; default what boto3 finds, such as the role of the task.
            secret_access_key: Its secret.
            session_token: The token of temporary credentials.
            timeout: How long one batch may take, and each connection.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = CloudwatchOptions(
            group=group,
            stream=stream,
            region=region,
            endpoint_url=endpoint_url,
            create=create,
            retention_days=retention_days,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
            timeout=timeout,
            name=name,
        )
        self._sinks.append(choice)
        return self
