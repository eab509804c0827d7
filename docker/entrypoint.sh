#!/usr/bin/env bash
# Starts what it is given. Over the sandbox (SNOWMELT_SANDBOX_ENV names its env file) with the sandbox's connections first; Airflow's
# own settings in that file are for a laptop and are left out.
set -euo pipefail
if [ -n "${SNOWMELT_SANDBOX_ENV:-}" ]; then
  settings=$(grep -E '^(AIRFLOW_CONN_[A-Z0-9_]+|REQUESTS_CA_BUNDLE|SSL_CERT_FILE|NO_PROXY|no_proxy|SNOWMELT_BUCKET|SNOWMELT_MAX_FILE_SIZE_MB)=' \
    "$SNOWMELT_SANDBOX_ENV")
  set -a
  eval "$settings"
  set +a
fi
exec "$@"
