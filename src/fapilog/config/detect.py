"""The preset for where the process runs; asked only by ``preset="auto"``.

============================================================  ============  =====================================
variable                                                      preset        set by
============================================================  ============  =====================================
``AWS_LAMBDA_FUNCTION_NAME``                                  serverless    AWS Lambda
``FUNCTION_TARGET``, ``K_SERVICE``, ``CLOUD_RUN_JOB``         serverless    Google Cloud Functions, Cloud Run
``FUNCTIONS_WORKER_RUNTIME``                                  serverless    Azure Functions
``KUBERNETES_SERVICE_HOST``                                   production    Kubernetes, in every container
``CI`` (not ``false``, ``0`` or empty)                        minimal       GitHub, GitLab, CircleCI, Travis, …
standard output is a terminal                                 dev
otherwise                                                     minimal
============================================================  ============  =====================================

The first line that fits counts. Knative services have ``K_SERVICE`` and ``KUBERNETES_SERVICE_HOST`` and scale to zero
like those of Cloud Run, so they are serverless too.

Sources: "Lambda environment variables" of the AWS Lambda guide; "Container runtime contract" of Cloud Run; "App
settings reference" of Azure Functions; "Accessing the Kubernetes API from a Pod" of Kubernetes.
"""

import os
from collections.abc import Mapping

AUTO = "auto"
_SERVERLESS = (
    "AWS_LAMBDA_FUNCTION_NAME",
    "FUNCTION_TARGET",
    "K_SERVICE",
    "CLOUD_RUN_JOB",
    "FUNCTIONS_WORKER_RUNTIME",
)
_KUBERNETES = "KUBERNETES_SERVICE_HOST"
_NO = frozenset(("", "0", "false", "no"))


def detect(environ: Mapping[str, str], *, terminal: bool) -> str:
    """Return the name of a preset.

    Args:
        environ: The environment.
        terminal: Whether standard output is a terminal.
    """
    if any(environ.get(name) for name in _SERVERLESS):
        return "serverless"
    if environ.get(_KUBERNETES):
        return "production"
    if environ.get("CI", "").strip().lower() not in _NO:
        return "minimal"
    return "dev" if terminal else "minimal"


def here(stdout: object) -> str:
    """Return the name of the preset for this process."""
    isatty = getattr(stdout, "isatty", None)
    return detect(os.environ, terminal=bool(isatty is not None and isatty()))
