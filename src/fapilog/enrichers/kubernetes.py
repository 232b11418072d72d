r"""Which pod this is, by the downward API of Kubernetes: variables and files that the pod's manifest asks for.

    variable  K8S_POD_NAME, POD_NAME, …          ─┐
    variable  OTEL_RESOURCE_ATTRIBUTES            ├─ the first that says something ──► "k8s.pod.name": "shop-7d4b9-x2x"
    file      /etc/podinfo/name                   │
    file      …/serviceaccount/namespace         ─┘
    file      /etc/podinfo/labels, annotations   ──── those that are named ──► "k8s.pod.label.team": "payments"

The keys are the attribute names of the OpenTelemetry semantic conventions, dots included: collectors and backends
know them, and no field of an application is likely to have one. An event stays flat; a dot in a key is only a letter.

The container's name in the pod and what the cluster is called are not in the downward API; they have to be written
into the manifest. The id of the container is not looked for: in a cgroup namespace of its own, which is the rule
today, a process cannot see it. ``HOSTNAME`` is no source of the pod's name, because with ``hostNetwork`` it is the
node's; it is on the event as ``host`` in any case.

Sources of the names: kubernetes.io, "Expose Pod Information to Containers" (through variables: ``MY_POD_NAME``; through
files: ``/etc/podinfo/labels``); the metadata page of Elastic's APM server (``KUBERNETES_POD_NAME``); the resource
detector for GCP (``POD_NAME``, ``CONTAINER_NAME``); OpenTelemetry's enhancement proposal on variables in Kubernetes
(``K8S_POD_NAME``) and its registry of attributes (``k8s.…``). A file of labels or annotations has one ``key="value"``
a line, the value quoted as Go's ``%q`` does, the keys in order (package ``fieldpath`` of the kubelet).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fapilog import checks
from fapilog.enrichers.runtime import otel_attributes
from fapilog.errors import ConfigError

INSIDE_VARIABLE = "KUBERNETES_SERVICE_HOST"
PODINFO = "/etc/podinfo"
NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
MAX_NAMED = 32
MAX_VALUE = 256
_MAX_FILE_BYTES = 1_048_576
_WHERE = "with_kubernetes({})"

_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "k8s.cluster.name": ("K8S_CLUSTER_NAME",),
    "k8s.namespace.name": ("K8S_NAMESPACE_NAME", "POD_NAMESPACE", "MY_POD_NAMESPACE", "KUBERNETES_NAMESPACE"),
    "k8s.node.name": ("K8S_NODE_NAME", "NODE_NAME", "MY_NODE_NAME", "KUBERNETES_NODE_NAME"),
    "k8s.pod.name": ("K8S_POD_NAME", "POD_NAME", "MY_POD_NAME", "KUBERNETES_POD_NAME"),
    "k8s.pod.uid": ("K8S_POD_UID", "POD_UID", "MY_POD_UID", "KUBERNETES_POD_UID"),
    "k8s.pod.ip": ("K8S_POD_IP", "POD_IP", "MY_POD_IP"),
    "k8s.container.name": ("K8S_CONTAINER_NAME", "CONTAINER_NAME"),
    # OpenTelemetry's operator puts these into OTEL_RESOURCE_ATTRIBUTES; the downward API does not have them.
    "k8s.deployment.name": ("K8S_DEPLOYMENT_NAME",),
    "k8s.replicaset.name": ("K8S_REPLICASET_NAME",),
    "k8s.statefulset.name": ("K8S_STATEFULSET_NAME",),
    "k8s.daemonset.name": ("K8S_DAEMONSET_NAME",),
    "k8s.job.name": ("K8S_JOB_NAME",),
    "k8s.cronjob.name": ("K8S_CRONJOB_NAME",),
}
"""Every field that may be found without being named in the options, with its variables, the first that is set wins."""

_FILES: Mapping[str, tuple[str, ...]] = {
    "k8s.namespace.name": ("{path}/namespace", NAMESPACE_FILE),
    "k8s.pod.name": ("{path}/name",),
    "k8s.pod.uid": ("{path}/uid",),
}
"""Files of one value each."""

_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,315}[A-Za-z0-9])?")
"""A name of a label or annotation: 63 characters after a prefix of 253 and a slash."""
_LINE = re.compile(r'([^=\s]+)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_LETTERS: Mapping[str, str] = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True)
class KubernetesOptions:
    """Which fields about the pod are on every event; all are looked up once, when the logger is built.

    Attributes:
        enabled: None (default) looks only where ``KUBERNETES_SERVICE_HOST`` is set, which it is in every pod; True
            looks everywhere; False nowhere.
        labels: Names of labels of the pod, each a field ``k8s.pod.label.<name>``. Default none, at most 32.
        annotations: Names of annotations, each a field ``k8s.pod.annotation.<name>``. Default none, at most 32.
        path: Where the downward API volume is mounted. Default ``/etc/podinfo``.
    """

    enabled: bool | None = None
    labels: Sequence[str] = ()
    annotations: Sequence[str] = ()
    path: str = PODINFO

    def __post_init__(self) -> None:
        """Check the values and keep the lists as tuples.

        Raises:
            ConfigError: If one cannot be used.
        """
        if self.enabled is not None:
            checks.flag(self.enabled, _WHERE.format("enabled"))
        for option in ("labels", "annotations"):
            names = checks.texts(getattr(self, option), _WHERE.format(option))
            if len(names) > MAX_NAMED:
                raise ConfigError.wrong(_WHERE.format(option), len(names), f"at most {MAX_NAMED} names")
            for name in names:
                if not _KEY.fullmatch(name):
                    raise ConfigError.wrong(_WHERE.format(option), name, 'names such as "app.kubernetes.io/name"')
            object.__setattr__(self, option, names)
        checks.text(self.path, _WHERE.format("path"))
        if "\0" in self.path:
            raise ConfigError.wrong(_WHERE.format("path"), self.path, "the path of a folder")


def read_file(path: str) -> str:
    """Return a file's text, its first mebibyte at most; empty if there is no such file or it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path would do no more
            return file.read(_MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def kubernetes_fields(
    options: KubernetesOptions, environ: Mapping[str, str], read: Callable[[str], str] = read_file
) -> dict[str, str]:
    """Return what can be found out about the pod; nothing outside of one, unless the options say to look.

    Values are cut to 256 characters, the last of them ``…``. What is missing or malformed is no field; raises nothing.

    Args:
        options: What to look for.
        environ: The environment.
        read: Returns a file's text, or an empty one.
    """
    inside = bool(environ.get(INSIDE_VARIABLE)) if options.enabled is None else options.enabled
    if not inside:
        return {}
    known = otel_attributes(environ)
    found: dict[str, str] = {}
    for key, variables in _VARIABLES.items():
        said = (environ.get(variable, "") for variable in variables)
        files = (read(path.format(path=options.path)) for path in _FILES.get(key, ()))
        if value := _first(said) or known.get(key, "").strip() or _first(files):
            found[key] = _cut(value)
    for kind, names in (("label", options.labels), ("annotation", options.annotations)):
        pairs = dict(_pairs(read(f"{options.path}/{kind}s"))) if names else {}
        found |= {f"k8s.pod.{kind}.{name}": _cut(pairs[name]) for name in names if name in pairs}
    return found


def _first(values: Iterator[str]) -> str:
    return next((text for value in values if (text := value.strip())), "")


def _cut(value: str) -> str:
    return value if len(value) <= MAX_VALUE else value[: MAX_VALUE - 1] + "…"


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        if match := _LINE.fullmatch(line.strip()):
            yield match[1], _ESCAPE.sub(_unescaped, match[2])


def _unescaped(match: re.Match[str]) -> str:
    """Return the character that an escape of Go's ``%q`` stands for."""
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _LETTERS.get(match[4], match[4])
    code = int(digits, 16)
    return chr(code) if code <= _LAST_CODE_POINT and code not in _SURROGATES else "\ufffd"
