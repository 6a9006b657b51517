#!/bin/sh
# Make a virtual environment and install animat into it, with the named extras.
#
#   scripts/bootstrap.sh VENV EXTRAS        for example: scripts/bootstrap.sh .venv nest
#
# PYTHON chooses the interpreter (otherwise the newest supported one on PATH). Works where Python
# has no ensurepip and its pip is externally managed, as on Debian.
set -eu

venv=$1
extras=$2

say() { printf '==> %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

has_version() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_nest_wheel() { "$1" -c 'import sys; sys.exit(sys.version_info >= (3, 14))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        has_version "$PYTHON" || fail "PYTHON=$PYTHON does not run or is older than 3.11."
        echo "$PYTHON"
        return
    fi
    newer=
    for name in python3.13 python3.12 python3.11 python3 python; do
        command -v "$name" >/dev/null && has_version "$name" || continue
        if has_nest_wheel "$name"; then
            echo "$name"
            return
        fi
        newer=$name
    done
    [ -n "$newer" ] || fail "animat needs Python 3.11 or newer, and none is on PATH." \
        "Debian 12, Ubuntu 24.04: sudo apt-get install python3; macOS: brew install python@3.13" \
        "Or name one: make run PYTHON=/path/to/python3.13"
    echo "$newer"
}

make_venv() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return
    python=$(find_python)
    say "making the virtual environment $venv with $("$python" --version)"
    if "$python" -c 'from ensurepip import version' >/dev/null 2>&1; then
        "$python" -m venv --clear "$venv" >/dev/null 2>&1 && return
    fi
    say "this Python has no ensurepip; looking for another pip"
    "$python" -m venv --clear --without-pip "$venv" || no_venv
    for pip in "$python -m pip" pip3 pip "python3 -m pip"; do
        # shellcheck disable=SC2086  # "python -m pip" is meant as three words
        if $pip --python "$venv/bin/python" install --quiet pip >/dev/null 2>&1; then
            return
        fi
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing the Debian package python3-venv"
        apt-get install -y python3-venv >/dev/null 2>&1 ||
            { apt-get update >/dev/null && apt-get install -y python3-venv >/dev/null; } || no_venv
        "$python" -m venv --clear "$venv" >/dev/null 2>&1 && return
    fi
    no_venv
}

no_venv() {
    rm -rf "$venv"
    fail "Python cannot make a virtual environment with pip here." \
        "On Debian and Ubuntu one package is missing: sudo apt-get install python3-venv" \
        "Then run make again."
}

have_compiler() {
    command -v "${CXX:-c++}" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing the Debian package g++, which builds the engine compact"
        apt-get install -y g++ >/dev/null 2>&1 || { apt-get update >/dev/null && apt-get install -y g++ >/dev/null; } || true
        command -v c++ >/dev/null && return
    fi
    fail "a part of animat is built from C++, and there is no compiler." \
        "Debian and Ubuntu: sudo apt-get install g++; Fedora: sudo dnf install gcc-c++; macOS: xcode-select --install" \
        "Then run make again."
}

no_nest() {
    fail "there is no ready-made NEST for $("$venv/bin/python" -c 'import platform as p; print(p.system(), p.machine(), "Python", p.python_version())')." \
        "NEST comes as a wheel for Python 3.11 to 3.13 on Linux x86_64 and macOS on Apple silicon. What to do:" \
        " - with another Python version here: make clean, then make run PYTHON=/path/to/python3.13" \
        " - Windows: install WSL (wsl --install) and clone there" \
        " - elsewhere: conda create -n nest -c conda-forge nest-simulator pyzmq msgspec-python, then" \
        "   make run NEST_PYTHON=/path/to/envs/nest/bin/python  (in a description: brain: {python: PATH})" \
        "pip said: $(grep -m 1 -i -E 'error|no matching' "$log" 2>/dev/null || echo 'nothing to install')"
}

case $(uname -s) in
MINGW* | MSYS* | CYGWIN*) fail "NEST does not run on Windows itself. Install WSL (wsl --install), clone there, and run make." ;;
esac

make_venv
have_compiler
log=$venv/install.log
say "installing animat${extras:+ with $extras} into $venv (a few minutes the first time; log: $log)"
if ! "$venv/bin/python" -m pip install --disable-pip-version-check --editable ".${extras:+[$extras]}" >"$log" 2>&1; then
    grep -q -i 'nest-simulator' "$log" && grep -q -i 'no matching distribution found for nest' "$log" && no_nest
    tail -n 15 "$log" >&2
    fail "pip could not install animat; the whole log is $log."
fi
case ",$extras," in
*,nest,*) "$venv/bin/python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("nest") is None)' || no_nest ;;
esac
