#!/bin/sh
# shellcheck disable=SC2016 # what stands in single quotes here is expanded by another shell, or by apt-get
# SPDX-License-Identifier: MIT
# Does the front door open on a machine with nothing but Debian, a shell and git? Makes such a machine in a folder (mmdebstrap, with the package
# sources that apt uses here), clones the committed tree into it and runs `./dev COMMAND` there, twice; the second time nothing may be installed.
# Needs root, mmdebstrap and 6 GB below $TMPDIR. Not part of ./dev test: a whole test takes an hour and the whole machine.
#
#   ./dev distro RELEASE COMMAND [ARGUMENTS]     RELEASE: bookworm (Debian 12) or trixie (Debian 13)
#
# The machine is removed at the end, unless something failed. $TMPDIR/popsync-RELEASE.tar, made on the first use, saves half of the time on the next.
set -eu
tree=$(cd "$(dirname "$0")/.." && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s\n' "== $*"; }
fail() {
  printf 'dev distro: %s\n' "$*" >&2
  exit 1
}

[ $# -ge 2 ] || fail "takes a release and a command of ./dev: ./dev distro trixie demo"
release=$1
shift
case $release in
  bookworm | trixie) ;;
  *) fail "unknown release '$release': bookworm or trixie" ;;
esac
[ "$(id -u)" -eq 0 ] || fail "run as root: a chroot needs it"
base=${TMPDIR:-/tmp}/popsync-$release.tar

# Only Debian's own archives, whatever release they give this machine: a source that a vendor added here has no place in the experiment.
debian_sources() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
    awk -v release="$release" -v keyring="$keyring" '$3 == "Debian" {
      sub(/^[a-z]+/, release, $2)
      if (!seen[$1 $2]++) print "deb [signed-by=" keyring "]", $1, $2, "main"
    }'
}

make_base() {
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"
  say "making a bare Debian $release"
  # A machine that reads a frozen archive says so in its apt configuration; the bare one has to read the same.
  eval "$(apt-config shell check_valid_until Acquire::Check-Valid-Until)"
  debian_sources >"$base.sources"
  [ -s "$base.sources" ] || printf 'deb [signed-by=%s] http://deb.debian.org/debian %s main\n' "$keyring" "$release" >"$base.sources"
  mmdebstrap --quiet --variant=apt --include=git,ca-certificates --aptopt="Acquire::Check-Valid-Until \"${check_valid_until:-true}\"" \
    --format=tar "$release" "$base.new" - <"$base.sources"
  mv "$base.new" "$base"
  rm -f "$base.sources"
}

# A process space of its own: what ./dev leaves running shows up in it, and ends with it.
inside() {
  unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"
    exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI="$2" sh -euc "cd /root/popsync; $1"' "$folder" "$1" "${CI:-}" </dev/null
}

quoted() {
  for word in "$@"; do printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done
}

processes_left='
  left=$(for status in /proc/[0-9]*/status; do sed -n "s/^Name:[[:space:]]*//p" "$status"; done | grep -E "popsync|dovecot" || true)
  [ -z "$left" ] || { echo "left running: $left" >&2; exit 1; }'

[ -e "$base" ] || make_base
folder=$(mktemp -d "${TMPDIR:-/tmp}/popsync-$release.XXXXXX")
trap 'say "failed; the machine is in $folder, its first state in $base"' EXIT
tar -xf "$base" -C "$folder"
# An installer or a container runtime writes this file; mmdebstrap does not.
[ -e "$folder/etc/hosts" ] || printf '127.0.0.1 localhost\n::1 localhost\n' >"$folder/etc/hosts"
git clone --quiet --no-hardlinks "$tree" "$folder/root/popsync"

command="./dev$(quoted "$@")"
say "$release: $command"
inside "$command; $processes_left"
say "$release: $command again: installs nothing"
inside "touch /var/log/apt/history.log; cp /var/log/apt/history.log /root/before; $command; cmp /root/before /var/log/apt/history.log; $processes_left"
say "services: none enabled, none kept from starting; the tree: as it was cloned"
inside '[ ! -e /usr/sbin/policy-rc.d ]; if systemctl --quiet is-enabled dovecot.service 2>/dev/null; then exit 1; fi'
inside '[ -z "$(git status --porcelain)" ]'
trap - EXIT
rm -rf --one-file-system "$folder"
say "well"
