#!/usr/bin/env bash
# Installs the packages of what is missing, on Debian as root.
#
#   debian-packages.sh NEED=PACKAGE[,PACKAGE...] ...
#
# A NEED is a command, or a file by its absolute path. PACKAGE may be several names
# with | between them: the first that this release of Debian has is taken.
#
# Elsewhere it says what is missing and fails. Where nothing is missing it does
# nothing.
set -euo pipefail

missing=() packages=()
for need in "$@"; do
  name=${need%%=*}
  case $name in
  /*) ! [ -e "$name" ] || continue ;;
  *) ! command -v "$name" >/dev/null || continue ;;
  esac
  missing+=("$name")
  IFS=, read -ra names <<<"${need#*=}"
  packages+=("${names[@]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "${missing[*]} not found: install the package that has it (on Debian: ${packages[*]//|/ or })" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail() {
  cat "$log" >&2
  echo "apt-get could not install $*; its output is above" >&2
  exit 1
}
options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
apt-get "${options[@]}" update >"$log" 2>&1 || fail "${packages[@]}"

chosen=()
for names in "${packages[@]}"; do
  IFS='|' read -ra alternatives <<<"$names"
  for name in "${alternatives[@]}"; do
    [[ $(LC_ALL=C apt-cache policy "$name") =~ Candidate:\ [^\(] ]] || continue
    chosen+=("$name")
    continue 2
  done
  chosen+=("${alternatives[0]}") # apt-get says why there is none
done
echo "installing ${chosen[*]}" >&2
apt-get "${options[@]}" install -y --no-install-recommends "${chosen[@]}" >>"$log" 2>&1 || fail "${chosen[@]}"
