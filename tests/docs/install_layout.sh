#!/bin/sh
# SPDX-License-Identifier: MIT
# install_layout.sh SOURCE BUILD: `cmake --install BUILD --prefix /usr` puts everything where Debian and systemd look for it, the units start the
# program at that prefix, and nothing goes to /etc.
set -eu
source=$1
build=$2

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/popsync-install.XXXXXX")
trap 'rm -rf "$folder"' EXIT
DESTDIR=$folder cmake --install "$build" --prefix /usr >/dev/null

for file in bin/popsync lib/systemd/system/popsync.service lib/systemd/user/popsync.service lib/sysusers.d/popsync.conf lib/tmpfiles.d/popsync.conf \
  share/man/man1/popsync.1 share/doc/popsync/README.md share/doc/popsync/CHANGELOG.md share/doc/popsync/docs/security.md \
  share/doc/popsync/examples/popsync.toml share/doc/popsync/examples/systemd/credential.conf; do
  [ -f "$folder/usr/$file" ] || fail "/usr/$file is missing"
done
for unit in system user; do
  grep -q '^ExecStart=/usr/bin/popsync ' "$folder/usr/lib/systemd/$unit/popsync.service" || fail "the $unit unit starts another program"
done
[ ! -e "$folder/etc" ] || fail "something was installed below /etc"
[ -x "$folder/usr/bin/popsync" ] || fail "/usr/bin/popsync is not executable"
for page in "$source"/docs/*.md; do
  [ -f "$folder/usr/share/doc/popsync/docs/${page##*/}" ] || fail "${page##*/} is not installed"
done
