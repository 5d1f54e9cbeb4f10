#!/usr/bin/env bash
# What both container files run inside the image, as root: the system's programs, then the project with its pins.
# TORCH_INDEX names the package index of another build of torch, such as https://download.pytorch.org/whl/cpu.
set -euo pipefail
cd /opt/badc_assets

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -yq --no-install-recommends git openssh-client rsync
rm -rf /var/lib/apt/lists/*

torch=()
[ -z "${TORCH_INDEX:-}" ] || torch=(--extra-index-url "$TORCH_INDEX")
python -m pip install --no-cache-dir --no-input --disable-pip-version-check "${torch[@]}" -c constraints.txt '.[cpu,indices,postgres]'

# A home for each storage: Dagster reads dagster.yaml of DAGSTER_HOME and nothing else.
mkdir -p postgres
ln -sf ../dagster.postgres.yaml postgres/dagster.yaml
ln -sf ../workspace.yaml postgres/workspace.yaml

# Where the work is done when nothing is bound there.
mkdir -p /work
chmod 1777 /work
