"""Where a worker pod finds its configuration, credentials and code, and where it listens."""

ROOT = "/etc/headrace"
"""Everything below it belongs to Headrace; the API refuses other volumeMounts there."""

CONFIG_DIR = f"{ROOT}/config"
CONFIG_KEY = "worker.json"
CONFIG_FILE = f"{CONFIG_DIR}/{CONFIG_KEY}"

CREDENTIALS_DIR = f"{ROOT}/credentials/redis"
SENTINEL_CREDENTIALS_DIR = f"{ROOT}/credentials/sentinel"
USERNAME_FILE = "username"  # optional in a credentials directory
URL_FILE = "url"  # instead of both
PASSWORD_FILE = "password"  # noqa: S105 - a file name

TLS_CA_DIR = f"{ROOT}/tls/ca"
TLS_CA_FILE = f"{TLS_CA_DIR}/ca.crt"
TLS_CLIENT_DIR = f"{ROOT}/tls/client"
TLS_CERT_FILE = f"{TLS_CLIENT_DIR}/tls.crt"
TLS_KEY_FILE = f"{TLS_CLIENT_DIR}/tls.key"

CODE_DIR = f"{ROOT}/code"

HTTP_PORT = 8080
HTTP_PORT_NAME = "http"
METRICS_PATH = "/metrics"
LIVEZ_PATH = "/livez"
READYZ_PATH = "/readyz"

CONTAINER_NAME = "worker"

ENV_PREFIX = "HEADRACE_"
ENV_CONFIG = "HEADRACE_CONFIG"
ENV_TRIM = "HEADRACE_TRIM"
ENV_POD = "HEADRACE_POD"
ENV_NAMESPACE = "HEADRACE_NAMESPACE"

VOLUME_PREFIX = "headrace-"
"""Names of our volumes in the pod; the API refuses other volumes so named."""
