#!/bin/sh
# Sees to it that what Nilo needs from the distribution is there.
#
# Usage: tools/setup.sh GROUP…      the groups of tools/packages.txt: build test lint fuzz bench coverage
#
# On Debian and its kin it says which packages are missing, installs them with apt-get (through sudo
# where the user is not root), and remembers in build/setup/ that the group is complete: a stamp that
# carries the checksum of the package table, so that a second run reads one file and is done, without
# dpkg and without a network. On other distributions it installs nothing: it looks for each thing
# and, if one is missing, lists what to install. NILO_OS_RELEASE names another /etc/os-release, for tests.
set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
table=$top/tools/packages.txt
stamps=$top/build/setup

if [ $# -eq 0 ]; then
  echo "usage: tools/setup.sh GROUP…   (groups: build test lint fuzz bench coverage)" >&2
  exit 2
fi

# rows GROUP: the lines of the table that belong to the group
rows() {
  awk -v group="$1" '$1 == group' "$table"
}

# present PROBE: whether the thing is there, seen without a package manager
present() {
  case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
    pc:*) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "${1#pc:}" ;;
    py:*) command -v python3 >/dev/null 2>&1 && python3 -c "import ${1#py:}" >/dev/null 2>&1 ;;
    *) return 0 ;;
  esac
}

installed_by_dpkg() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

is_debian() {
  command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1
}

# The words of the table's sixth column and after.
purpose_of() {
  awk -v name="$1" '$2 == name { for (i = 6; i <= NF; i++) printf "%s%s", $i, (i < NF ? " " : "\n"); exit }' "$table"
}

install_with_apt() { # PACKAGE…
  if [ "$(id -u)" -eq 0 ]; then
    as_root=
  elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
  else
    echo "You are not root and there is no sudo here. As root, run" >&2
    echo "  apt-get update && apt-get install --no-install-recommends $*" >&2
    echo "and start again." >&2
    exit 1
  fi
  echo "They are installed now from this machine's package mirror:"
  echo "  ${as_root:+$as_root }apt-get install --no-install-recommends $*"
  # A source that can't be reached need not matter: the packages decide.
  if ! { $as_root apt-get update -q || true
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } \
    >"$stamps/apt.log" 2>&1 </dev/null; then
    tail -n 20 "$stamps/apt.log" >&2
    echo "apt-get failed; all it said is in build/setup/apt.log." >&2
    exit 1
  fi
  echo "Installed."
}

setup_debian() { # GROUP…
  missing=
  for group in "$@"; do
    for package in $(rows "$group" | awk '{ print $2 }'); do
      case " $missing " in *" $package "*) continue ;; esac
      installed_by_dpkg "$package" || missing="$missing $package"
    done
  done
  [ -n "$missing" ] || return 0
  echo "Nilo needs these Debian packages, which are not installed yet:"
  for package in $missing; do
    printf '  %-20s %s\n' "$package" "$(purpose_of "$package")"
  done
  # shellcheck disable=SC2086 # one word per package
  install_with_apt $missing
}

# list_missing COLUMN COMMAND LINE…: prints how to install the table's missing lines
list_missing() {
  column=$1
  command=$2
  names=$(awk -v c="$column" 'c && $c != "-" { print $c }' "$stamps/missing" | sort -u | tr '\n' ' ')
  [ -z "$names" ] || echo "  $command $names" >&2
  awk -v c="$column" '!c || $c == "-" {
    printf "  %s: ", $2; for (i = 6; i <= NF; i++) printf "%s ", $i; print "(the name is Debian'\''s)" }' \
    "$stamps/missing" | sort -u >&2
}

setup_other() { # GROUP…
  : >"$stamps/missing"
  for group in "$@"; do
    rows "$group" | while read -r line; do
      probe=$(echo "$line" | awk '{ print $3 }')
      present "$probe" || echo "$line" >>"$stamps/missing"
    done
  done
  if [ -s "$stamps/missing" ]; then
    distribution=$(. "${NILO_OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}" || true)
    echo "Nilo installs packages by itself on Debian only. Please install what is missing here:" >&2
    case " $distribution " in
      *" fedora "* | *" rhel "*) list_missing 4 "sudo dnf install" ;;
      *" arch "*) list_missing 5 "sudo pacman -S" ;;
      *) list_missing 0 "" ;;
    esac
    rm -f "$stamps/missing"
    exit 1
  fi
  rm -f "$stamps/missing"
}

key=$(cat "$table" "$0" | cksum | tr ' ' -)
wanted=
for group in "$@"; do
  if [ -z "$(rows "$group")" ]; then
    echo "tools/setup.sh: no group '$group' in tools/packages.txt" >&2
    exit 2
  fi
  [ "$(cat "$stamps/$group" 2>/dev/null || true)" = "$key" ] || wanted="$wanted $group"
done
[ -n "$wanted" ] || exit 0

mkdir -p "$stamps"
if is_debian; then
  # shellcheck disable=SC2086 # one word per group
  setup_debian $wanted
else
  # shellcheck disable=SC2086
  setup_other $wanted
fi
for group in $wanted; do
  echo "$key" >"$stamps/$group"
done
