#!/bin/sh
# Have the system's packages that tests need: installs them where it can (as root on Debian and Ubuntu).
#
#   scripts/system_packages.sh engine     to build NEST with MPI (`animat engine install` says what is missing elsewhere), and network namespaces
#   scripts/system_packages.sh browser    Chromium with its driver
set -eu

say() { printf '==> %s\n' "$*"; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && command -v dpkg >/dev/null; }

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1; }

install_missing() {
    missing=
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing the Debian packages$missing"
    # shellcheck disable=SC2086  # one word for each package
    apt_install $missing || { apt-get update >/dev/null && apt_install $missing; }
}

case $1 in
engine)
    ! can_install || install_missing g++ libgsl-dev libltdl-dev iproute2 || say "apt-get could not install them"
    ;;
browser)
    if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
        exit 0
    fi
    if ! can_install; then
        printf '%s\n' "error: the test of NEST Desktop needs Chromium and its driver. What to do:" \
            "  Debian: sudo apt-get install chromium chromium-driver" \
            "  elsewhere: have the commands chromium and chromedriver on PATH" >&2
        exit 1
    fi
    install_missing chromium chromium-driver || { say "apt-get could not install them"; exit 1; }
    ;;
*)
    echo "usage: $0 engine|browser" >&2
    exit 2
    ;;
esac
