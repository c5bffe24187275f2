#!/bin/sh
# Checks what pip cannot install. On Debian as root it installs what is missing, elsewhere it names the command.
set -eu
python=${PYTHON:-python3}
fail() { echo "error: $1" >&2; exit 1; }

command -v "$python" >/dev/null || fail "no $python: install Python 3.11 or newer, or name one with PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old: Python 3.11 or newer is needed; name one with PYTHON=..."

missing=""
command -v g++ >/dev/null || missing="$missing g++"
command -v bwrap >/dev/null || missing="$missing bubblewrap"
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
"$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' ||
  missing="$missing python3-dev"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "installing$missing"
  apt-get update -qq
  # shellcheck disable=SC2086  # one word a package
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
elif command -v apt-get >/dev/null; then
  fail "missing:$missing. Install with: sudo apt-get install$missing"
else
  fail "missing:$missing. Install them with your system's package manager"
fi
