#!/bin/sh
# Builds the native pass under AddressSanitizer and UndefinedBehaviorSanitizer and feeds it random bytes.
#   tests/kernels/fuzz/fuzz.sh [SECONDS] [SEED]
set -eu
cd "$(dirname "$0")/../../.."
out=build/fuzz
mkdir -p "$out"
${CXX:-g++} -std=c++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
  -I kernels/csrc kernels/csrc/core/*.cpp tests/kernels/fuzz/fuzz_texts.cpp -pthread -o "$out/fuzz_texts"
exec "$out/fuzz_texts" "${1:-600}" "${2:-1}"
