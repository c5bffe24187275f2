#!/bin/sh
# Builds the native code that reads foreign bytes under AddressSanitizer and UndefinedBehaviorSanitizer and feeds it some:
# random texts to the native pass, and lines of JSON, whole and damaged, to the reader of query files.
#   tests/kernels/fuzz/fuzz.sh [SECONDS OF EACH] [SEED] [texts|lines]
set -eu
cd "$(dirname "$0")/../../.."
out=build/fuzz
mkdir -p "$out"
for target in ${3:-texts lines}; do
  ${CXX:-g++} -std=c++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
    -I kernels/csrc kernels/csrc/core/*.cpp "tests/kernels/fuzz/fuzz_$target.cpp" -pthread -o "$out/fuzz_$target"
  "$out/fuzz_$target" "${1:-600}" "${2:-1}"
done
