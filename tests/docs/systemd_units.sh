#!/bin/sh
# SPDX-License-Identifier: MIT
# systemd_units.sh SOURCE BUILD: systemd finds nothing to complain about in the units, drop-ins, user and folders, and rates the system unit at
# 1.5 or better (docs/security.md).
set -eu
source=$1
build=$2
exposure_max=15 # tenths

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

if ! command -v systemd-analyze >/dev/null; then
  [ "${POPSYNC_REQUIRE_ALL:-}" != 1 ] || fail "systemd-analyze is not installed"
  echo "[  SKIPPED ] systemd-analyze is not installed"
  exit 77
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/popsync-units.XXXXXX")
trap 'rm -rf "$folder"' EXIT
# verify --user reads the units of whoever runs it.
export XDG_RUNTIME_DIR="$folder" HOME="$folder"

# A unit names the installed program, which need not exist here; any program will do to have the rest checked.
place() { sed 's#^ExecStart=[^ ]*/popsync#ExecStart=/bin/true#' "$build/systemd/$1" >"$2"; }

# `verify` ends well after a warning: silence is what counts.
verify() {
  if ! complaints=$(systemd-analyze verify --man=no "$@" 2>&1) || [ -n "$complaints" ]; then fail "$*: $complaints"; fi
}

mkdir "$folder/system" "$folder/user"
place popsync.service "$folder/system/popsync.service"
place user/popsync.service "$folder/user/popsync.service"
verify "$folder/system/popsync.service"
verify --user "$folder/user/popsync.service"
systemd-analyze security --offline=yes --threshold="$exposure_max" "$folder/system/popsync.service" >"$folder/rating" || {
  cat "$folder/rating"
  fail "the system unit is more exposed than it may be"
}
tail -n 1 "$folder/rating"
# Deletion by age asks the kernel whether the clock is right, and for the boot; nothing may set a clock.
grep -q 'SystemCallFilter=~@clock.*adjtimex is allowed' "$folder/rating" || fail "the sandbox refuses to tell whether the clock is synchronised"
grep -q '✓ CapabilityBoundingSet=~CAP_SYS_TIME' "$folder/rating" || fail "the sandbox lets somebody set the clock"
grep -q '^Environment=POPSYNC_BOOT_ID=%b$' "$folder/system/popsync.service" || fail "the sandbox hides which boot this is"

# A disk that is mounted late, or a command that eats the memory, does not end the unit for good. `verify` would let a misspelt value pass.
for unit in "$folder/system/popsync.service" "$folder/user/popsync.service"; do
  for line in StartLimitIntervalSec=0 Restart=on-failure RestartSec=30 'RestartPreventExitStatus=64 74 78' OOMPolicy=continue; do
    grep -q "^$line\$" "$unit" || fail "$unit: there is no line $line"
  done
  ! grep -q '^StartLimitBurst=' "$unit" || fail "$unit: a burst without an interval says nothing"
done

mkdir "$folder/system/popsync.service.d"
for drop_in in "$source"/config/examples/systemd/*.conf; do
  cp "$drop_in" "$folder/system/popsync.service.d/"
  verify "$folder/system/popsync.service"
  rm "$folder/system/popsync.service.d/"*
done

systemd-sysusers --dry-run "$source/systemd/popsync.sysusers" >/dev/null
if [ "$(id -u)" -eq 0 ]; then
  mkdir -p "$folder/root/etc"
  systemd-sysusers --root="$folder/root" "$source/systemd/popsync.sysusers" >/dev/null 2>&1 || fail "systemd-sysusers refuses popsync.sysusers"
  systemd-tmpfiles --root="$folder/root" --create "$source/systemd/popsync.tmpfiles" || fail "systemd-tmpfiles refuses popsync.tmpfiles"
  [ "$(stat -c %a "$folder/root/etc/popsync")" = 750 ] || fail "/etc/popsync must be 0750"
  [ "$(stat -c %a "$folder/root/var/lib/popsync")" = 700 ] || fail "/var/lib/popsync must be 0700"
fi
