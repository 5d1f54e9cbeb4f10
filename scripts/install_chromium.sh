#!/usr/bin/env bash
# Install Chromium from Debian packages for the browser tests. Where that is not possible, say so and go on:
# the tests then skip themselves.
set -euo pipefail

if command -v chromium >/dev/null; then
  echo "chromium: $(command -v chromium)"
  exit 0
fi

skip() {
  echo "chromium is not installed and $1; the browser tests will be skipped"
  exit 0
}

command -v apt-get >/dev/null || skip "this is not a Debian system"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || skip "installing it needs root or sudo without a password"
  as_root=(sudo -n)
fi

echo "installing chromium"
"${as_root[@]}" apt-get update -q || skip "the package lists cannot be read"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends chromium \
  || skip "its package cannot be installed"
