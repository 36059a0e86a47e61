#!/usr/bin/env bash
# Everything that `npm test` runs. Ends non-zero when anything fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1"; }
skipped() { printf 'skipped: %s, because %s\n' "$1" "$2"; }

if [ ! -d node_modules ] || [ ! -f build/Release/ghostai.node ] || [ ! -f dist/cli/main.js ]; then
  step "install and build"
  npm install --no-fund --no-audit
else
  step "build"
  npm run --silent build
fi

step "lint and types"
npm run --silent lint
if command -v clang-format >/dev/null; then
  git ls-files 'native/*.cc' 'native/*.h' 'test/*.cc' 'test/*.h' 'bench/*.c' |
    xargs clang-format --dry-run --Werror
else
  skipped "the C++ format" "clang-format is not installed"
fi

cpp_tests() { # name, cmake arguments...
  local name=$1
  shift
  cmake -S . -B "build-$name" -DBUILD_TESTING=ON "$@" >/dev/null
  cmake --build "build-$name" -j "$(nproc)" >/dev/null
  ctest --test-dir "build-$name" --output-on-failure
}

step "C++ tests"
cpp_tests release -DCMAKE_BUILD_TYPE=Release -G 'Unix Makefiles'

step "C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer"
cpp_tests sanitize -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGHOSTAI_SANITIZE=ON -G 'Unix Makefiles'

step "NEON kernels under emulation"
if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64 >/dev/null; then
  cmake -S . -B build-neon -G 'Unix Makefiles' -DBUILD_TESTING=ON -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static >/dev/null
  cmake --build build-neon -j "$(nproc)" --target kernels_test encoder_test >/dev/null
  for test in kernels_test encoder_test; do
    qemu-aarch64 -cpu max "build-neon/$test" | tee build-neon/log
    grep -q neondot build-neon/log || { echo "the NEON kernels were not chosen"; exit 1; }
  done
else
  skipped "NEON kernels" "aarch64-linux-gnu-g++ or qemu-aarch64 is not installed"
fi

step "AVX2 kernels on a processor without AVX-512"
if [ "$(uname -m)" = x86_64 ] && command -v qemu-x86_64 >/dev/null; then
  qemu-x86_64 -cpu Haswell build-release/kernels_test 2>/dev/null | tee build-release/log
  grep -q 'kernels here: avx2' build-release/log || { echo "the AVX2 kernels were not chosen"; exit 1; }
else
  skipped "AVX2 without AVX-512" "qemu-x86_64 is not installed"
fi

step "TypeScript and end-to-end tests"
mapfile -t tests < <(find test -name '*.test.ts' -not -path 'test/long/*' | sort)
node --import tsx --test --test-concurrency=2 "${tests[@]}"
