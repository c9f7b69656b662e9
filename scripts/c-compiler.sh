#!/usr/bin/env bash
# Makes sure of a C compiler that finds the C library, which the race detector needs:
# the one that go uses, by CC or go env. Where that is gcc, the default, it is
# installed on Debian as root.
set -euo pipefail
cd "$(dirname "$0")"

read -ra compiler <<<"$(go env CC)"
echo '#include <stdlib.h>' | "${compiler[@]}" -E - >/dev/null 2>&1 && exit 0
if [ "${compiler[*]}" = gcc ]; then
  exec ./debian-packages.sh gcc=gcc /usr/include/stdlib.h=libc6-dev
fi
echo "the C compiler of go env CC, '${compiler[*]}', does not run or lacks the headers of the C library" >&2
exit 1
