#!/bin/sh
# The services some tests need: says what is missing, and installs it where that is possible (as root on Debian).
#   sh tests/services.sh          install or name what is missing
#   sh tests/services.sh report   only say what is missing, after the tests
# A test whose service is missing is reported as skipped; with TADACHI_REQUIRE_ALL=1 it fails instead.
set -eu

missing() {
    command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || echo chromium
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || echo postgresql
    test -n "$(fc-list :lang=ja family 2>/dev/null)" || echo fonts-noto-cjk
}

describe() {
    case $1 in
    chromium) echo "chromium: browser tests" ;;
    postgresql) echo "PostgreSQL 15 or later (initdb): tests of the scaled-out storage" ;;
    fonts-noto-cjk) echo "a Japanese font: screenshots and printed pages" ;;
    esac
}

absent=$(missing)
if test "${1:-install}" = report; then
    if test -z "$absent"; then
        echo "Services: Chromium, PostgreSQL, SMTP and a Japanese font were all available."
    else
        echo "Services that were NOT available, so their tests did not run:"
        for name in $absent; do echo "  - $(describe "$name")"; done
    fi
    exit 0
fi

test -n "$absent" || exit 0
if test "$(id -u)" = 0 && command -v apt-get >/dev/null; then
    echo "Installing with apt-get:" $absent
    export DEBIAN_FRONTEND=noninteractive
    # create_main_cluster is off: the tests start a cluster of their own and want no other.
    mkdir -p /etc/postgresql-common
    test -e /etc/postgresql-common/createcluster.conf || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    apt-get -o DPkg::Lock::Timeout=300 -qq update
    # The same browser without windows takes a third less time.
    if apt-cache show chromium-headless-shell >/dev/null 2>&1; then
        absent=$(echo "$absent" | sed 's/^chromium$/chromium-headless-shell/')
    fi
    # shellcheck disable=SC2086
    apt-get -o DPkg::Lock::Timeout=300 -qq install --yes --no-install-recommends $absent fontconfig >/dev/null
else
    echo "Not installed here, so some tests will be skipped:"
    for name in $absent; do echo "  - $(describe "$name")"; done
fi
