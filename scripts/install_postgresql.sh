#!/usr/bin/env bash
# Install PostgreSQL's server from Debian packages for the tests of the storage, without a server that runs by itself. Where that
# is not possible, say so and go on: the tests then skip themselves.
set -euo pipefail

for initdb in /usr/lib/postgresql/*/bin/initdb "$(command -v initdb || true)"; do
  if [ -x "$initdb" ]; then
    echo "postgresql: $(dirname "$initdb")"
    exit 0
  fi
done

skip() {
  echo "PostgreSQL's server is not installed and $1; its tests will be skipped"
  exit 0
}

command -v apt-get >/dev/null || skip "this is not a Debian system"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || skip "installing it needs root or sudo without a password"
  as_root=(sudo -n)
fi

echo "installing postgresql"
# postgresql-common would create a cluster and start it.
no_cluster=/etc/postgresql-common/createcluster.conf
if [ ! -e "$no_cluster" ]; then
  "${as_root[@]}" mkdir -p "$(dirname "$no_cluster")"
  echo "create_main_cluster = false" | "${as_root[@]}" tee "$no_cluster" >/dev/null
  trap '"${as_root[@]}" rm -f "$no_cluster"' EXIT
fi
"${as_root[@]}" apt-get update -q || skip "the package lists cannot be read"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends postgresql \
  || skip "its package cannot be installed"
