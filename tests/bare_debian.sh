#!/bin/sh
# shellcheck disable=SC2016 # what stands in single quotes here is expanded by another shell, or by apt-get
# SPDX-License-Identifier: MIT
# Does the front door open on a machine with nothing but Debian 12, a shell and git? Makes such a machine in a folder (mmdebstrap, with the
# package sources that apt uses here), clones the committed tree into it and runs ./dev demo and ./dev test, each twice; the second time nothing
# may be installed. Needs root, mmdebstrap and 6 GB. Not part of ./dev test: it takes half an hour and the whole machine.
#
#   tests/bare_debian.sh [FOLDER [BASE.tar]]    FOLDER is made, used and kept; BASE.tar is made on the first use and saves it on the next
set -eu
tree=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$(mktemp -d "${TMPDIR:-/tmp}/popsync-bare.XXXXXX")}
base=${2:-$folder.tar}

say() { printf '%s\n' "== $*"; }
fail() {
  printf 'bare_debian.sh: %s\n' "$*" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || fail "run as root: a chroot needs it"

# Only Debian 12's own archives: a source that a vendor added to this machine has no place in the experiment.
debian_sources() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    awk '$2 ~ /^bookworm/ && $4 == "Debian" { print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]", $1, $2, $3 }'
}

make_base() {
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"
  say "making a bare Debian 12"
  # A machine that reads a frozen archive says so in its apt configuration; the bare one has to read the same.
  eval "$(apt-config shell check_valid_until Acquire::Check-Valid-Until)"
  debian_sources >"$base.sources"
  [ -s "$base.sources" ] || fail "apt here knows no bookworm sources: run apt-get update"
  mmdebstrap --quiet --variant=apt --include=git,ca-certificates --aptopt="Acquire::Check-Valid-Until \"${check_valid_until:-true}\"" \
    bookworm "$base" - <"$base.sources"
  rm -f "$base.sources"
}

# A process space of its own: what ./dev leaves running shows up in it, and ends with it.
inside() {
  unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"
    exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI="$2" sh -euc "$1"' "$folder" "$1" "${CI:-}" </dev/null
}

processes_left='
  left=$(for status in /proc/[0-9]*/status; do sed -n "s/^Name:[[:space:]]*//p" "$status"; done | grep -E "popsync|dovecot" || true)
  [ -z "$left" ] || { echo "left running: $left" >&2; exit 1; }'

[ -e "$base" ] || make_base
say "unpacking it in $folder"
mkdir -p "$folder"
[ -z "$(ls -A "$folder")" ] || fail "$folder is not empty"
tar -xf "$base" -C "$folder"
# An installer or a container runtime writes this file; mmdebstrap does not.
[ -e "$folder/etc/hosts" ] || printf '127.0.0.1 localhost\n::1 localhost\n' >"$folder/etc/hosts"
git clone --quiet --no-hardlinks "$tree" "$folder/root/popsync"

run() {
  say "$1"
  inside "cd /root/popsync; $1; $processes_left"
}

run_again() {
  say "$1 again: installs nothing"
  inside "cd /root/popsync; cp /var/log/apt/history.log /root/before; $1; cmp /root/before /var/log/apt/history.log; $processes_left"
}

run './dev demo'
run_again './dev demo'
run './dev test'
run_again './dev test'
say "services: none enabled, none kept from starting; the tree: as it was cloned"
inside '[ ! -e /usr/sbin/policy-rc.d ]; if systemctl --quiet is-enabled dovecot.service; then exit 1; fi'
inside 'cd /root/popsync; [ -z "$(git status --porcelain)" ]'
say "well; the machine is in $folder, its first state in $base"
