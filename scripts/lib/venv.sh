# Sourced by the scripts: makes .venv with the extras asked for, once, and again when the requirements change.
# Usage: source scripts/lib/venv.sh; ensure_venv agent,service
set -euo pipefail
export ORT_DISABLE_TELEMETRY=1

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "latcast needs Python 3.11 or newer; point PYTHON at one." >&2
    return 1
}

ensure_venv() {
    local extras=$1 stamp python
    stamp=".venv/.latcast-${extras//,/-}-$(cat pyproject.toml constraints.txt | cksum | tr " " "-")"
    [ -e "$stamp" ] && return
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        echo "Creating .venv with $("$python" --version) …"
        "$python" -m venv .venv
    fi
    echo "Installing latcast[$extras]: about a minute the first time …"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$extras]"
    rm -f ".venv/.latcast-${extras//,/-}-"*
    touch "$stamp"
}
