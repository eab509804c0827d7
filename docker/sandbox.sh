#!/usr/bin/env bash
# The stand-ins until SIGTERM; filled with the demo tables once. SNOWMELT_SANDBOX_STATE is the folder that keeps everything.
set -euo pipefail
state=${SNOWMELT_SANDBOX_STATE:-/sandbox}
python=${SNOWMELT_SANDBOX_PYTHON:-python}
trap 'exec "$python" -m sandbox down --state "$state"' TERM INT
rm -f "$state/ready"
"$python" -m sandbox up --state "$state"
"$python" -m sandbox fill --state "$state" --rows "${SNOWMELT_SANDBOX_ROWS:-20000}"
touch "$state/ready"
while true; do sleep 1; done
