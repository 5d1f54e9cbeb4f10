#!/usr/bin/env bash
# Whether an image is whole: every program starts, and the libraries that are loaded late can be.
set -euo pipefail
badc version
git --version
git annex version --raw
echo
datalad --version
dagster --version
python -c "import torch; print('torch', torch.__version__, 'CUDA', torch.version.cuda)"
python -c "import dagster_postgres, maad, onnxruntime, openvino, soundfile, soxr"
cd "$(mktemp -d)"
badc config >/dev/null
badc detectors
badc instance show
