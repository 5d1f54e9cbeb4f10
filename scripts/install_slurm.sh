#!/usr/bin/env bash
# Install SLURM from Debian packages for the tests that start one. Where that is not possible, say so and go on:
# the tests then skip themselves. Nothing is configured: the tests bring their own configuration and start the daemons themselves.
set -euo pipefail

export PATH=$PATH:/usr/sbin:/sbin
if command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v sbatch >/dev/null; then
  echo "slurm: $(command -v slurmctld)"
  exit 0
fi

skip() {
  echo "SLURM is not installed and $1; the tests that need it will be skipped"
  exit 0
}

command -v apt-get >/dev/null || skip "this is not a Debian system"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || skip "installing it needs root or sudo without a password"
  as_root=(sudo -n)
fi

echo "installing SLURM"
"${as_root[@]}" apt-get update -q || skip "the package lists cannot be read"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends slurmctld slurmd slurm-client \
  || skip "its packages cannot be installed"
