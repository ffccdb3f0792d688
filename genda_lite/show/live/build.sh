#!/usr/bin/env bash
# kernels.c -> kernels.wasm and kernels_relaxed.wasm (with fused multiply-add), and their checksums. A clang with the
# target wasm32 is all it takes: `pip install ziglang==0.17.1` brings one; with Debian's, CC=clang-16 (and lld-16).
# Memory is imported: JavaScript hands it out, from __heap_base on.
set -euo pipefail
cd "$(dirname "$0")"
CC=${CC:-python -m ziglang cc}
[[ $CC == *zig* ]] && target=wasm32-freestanding || target=wasm32
options=(--target=$target -O3 -msimd128 -nostdlib -ffreestanding -Wall -Wl,--no-entry -Wl,--import-memory
  -Wl,-z,stack-size=65536 -Wl,--export=__heap_base -Wl,--strip-debug)
$CC "${options[@]}" -o kernels.wasm kernels.c
$CC "${options[@]}" -mrelaxed-simd -o kernels_relaxed.wasm kernels.c
sha256sum kernels.c kernels.wasm kernels_relaxed.wasm > SHA256SUMS
ls -l ./*.wasm
