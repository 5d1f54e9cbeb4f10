#!/usr/bin/env bash
# Install from Debian packages what the system tests need: Chromium, SLURM, and a PostgreSQL server that does not run by itself.
# Where that is not possible, say so and go on: the tests then skip themselves, and bring their own configuration otherwise.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

packages=()
command -v chromium >/dev/null || packages+=(chromium)
for program in slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || { packages+=(slurmctld slurmd slurm-client); break; }
done
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || command -v initdb >/dev/null || packages+=(postgresql)
if [ ${#packages[@]} -eq 0 ]; then
  echo "chromium, slurm and postgresql are installed"
  exit 0
fi

skip() {
  echo "${packages[*]} not installed: $1; the tests that need them will be skipped"
  exit 0
}

command -v apt-get >/dev/null || skip "this is not a Debian system"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || skip "installing needs root or sudo without a password"
  as_root=(sudo -n)
fi

# postgresql-common would create a cluster and start it.
no_cluster=/etc/postgresql-common/createcluster.conf
if [[ " ${packages[*]} " == *" postgresql "* && ! -e $no_cluster ]]; then
  "${as_root[@]}" mkdir -p "$(dirname "$no_cluster")"
  echo "create_main_cluster = false" | "${as_root[@]}" tee "$no_cluster" >/dev/null
  trap '"${as_root[@]}" rm -f "$no_cluster"' EXIT
fi

"${as_root[@]}" apt-get update -q || skip "the package lists cannot be read"
for package in "${packages[@]}"; do
  echo "installing $package"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$package" \
    || echo "$package cannot be installed; the tests that need it will be skipped"
done
