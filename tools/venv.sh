#!/bin/sh
# Makes .venv with a Python for which there is a Bytewax, and installs Hopper into it, with all that
# its development needs. Again is fine: what is right stays.
set -eu

fits() {
    # Asking is the only way to know: a shim of pyenv may have the right name, and fail.
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' >/dev/null 2>&1
}

find_python() {
    for python in python3.12 python3.11 python3; do
        if fits "$python"; then
            echo "$python"
            return
        fi
    done
    echo "Hopper needs Python 3.11 or 3.12, and neither of them is on the path:" >&2
    echo "Bytewax, which it runs on, has no build for another." >&2
    exit 1
}

make_environment() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        # Debian and Ubuntu keep this part of Python in a package of its own.
        if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
            echo "$python cannot make environments: as root, apt-get install $python-venv" >&2
            exit 1
        fi
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "$python-venv" >/dev/null
    fi
    echo "making .venv with $("$python" --version)" >&2
    "$python" -m venv --clear .venv
}

fits .venv/bin/python || make_environment
echo "installing Hopper and its tools into .venv" >&2
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --quiet"
$pip --require-hashes --requirement requirements.lock
$pip --no-deps --editable .
