#!/bin/bash
# SPDX-License-Identifier: MIT
# popsync and procmail write into one mbox at the same time, 1,000 messages each, and popsync is killed twenty times at random moments. Counts what was
# lost, what came twice and what was cut; expected are three zeros, and the script fails otherwise.
#
#   tests/bench/two_writers.sh [SEED]          MESSAGES=200 KILLS=5: less of it
#
# The server is a Dovecot of our own on 127.0.0.1. popsync removes its messages there ("leave_on_server = false"), so that what it loses is gone.
# procmail gets its messages one after the other and locks as Debian builds it, with fcntl and the dot lock of ":0:". It is told to look for the lock
# every second instead of every eighth, or the run would take an hour; it never breaks a lock. Mail comes to the server in portions, one before each
# kill and as procmail gets on, so that both are at work all the time. The first portion is fetched undisturbed and timed; every other run is killed
# with SIGKILL after a random part of that time, and then one is left to finish. A dot lock that is left holds procmail until then. A message of procmail's is here if its whole text is; one of
# popsync's if the octets under its X-Popsync-Id, read as mboxrd, are those of the original.
#
# Needs (installs, as root): dovecot-pop3d procmail python3, and ./dev build's popsync and private_dovecot.
set -euo pipefail
cd "$(dirname "$0")/../.."

seed=${1:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid nobody --regid nogroup --clear-groups)
messages=${MESSAGES:-1000}
kills=${KILLS:-20}
work=$(mktemp -d "${TMPDIR:-/tmp}/two-writers.XXXXXX")
home=$work/home
server=
procmails=
met=0
RANDOM=$((seed % 32768))

main() {
  trap 'stop_all; rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  install_missing
  set_up
  printf 'tests/bench/two_writers.sh %s\n%s, Linux %s\n%s messages each, %s kills\n\n' "$seed" "$(date -u +%F)" "$(uname -r)" "$messages" "$kills"
  deliver_with_procmail &
  procmails=$!
  mail_comes
  local begin end
  begin=$(date +%s%N)
  finish_popsync
  end=$(date +%s%N)
  for ((i = 1; i <= kills; ++i)); do
    until [ "$(wc -l <"$work/procmail-done")" -ge $((i * messages / (kills + 1))) ]; do sleep 0.02; done
    mail_comes
    kill_after $(((end - begin) * (RANDOM % 1000) / 1000000000))
    finish_popsync
  done
  wait "$procmails"
  procmails=
  finish_popsync
  count
}

# Another part of the messages appears on the server.
mail_comes() {
  local files=("$work"/held/*)
  [ -e "${files[0]}" ] || return 0
  mv "${files[@]:0:$((messages / (kills + 1) + 1))}" "$maildir_on_server/new/"
}

finish_popsync() {
  for _ in 1 2 3; do
    if (run_popsync); then return; fi
  done
  tail -n 5 "$work/log" >&2
  exit 1
}

install_missing() {
  local missing=()
  for package in dovecot-pop3d procmail python3; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] || DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}" >"$work/apt.log"
  for program in popsync private_dovecot; do
    [ -x "build/$program" ] || { echo "build/$program is missing: ./dev build" >&2 && exit 1; }
  done
}

set_up() {
  cp build/popsync "$work/" # nobody may have no way into this tree
  chmod 755 "$work"
  mkdir -p "$work"/{server,originals} "$home/Mail"
  mkfifo "$work/in" "$work/out"
  build/private_dovecot "$work/server" --messages "$messages" <"$work/in" >"$work/out" 2>"$work/server.log" &
  server=$!
  exec 9>"$work/in" 8<"$work/out"
  while IFS= read -r line <&8; do
    case $line in
      PORT=*) port=${line#*=} ;;
      USER=*) user=${line#*=} ;;
      PASSWORD=*) password=${line#*=} ;;
      MAILDIR=*) maildir_on_server=${line#*=} ;;
      READY) break ;;
    esac
  done
  cp -R "$maildir_on_server/new" "$maildir_on_server/cur" "$work/originals/"
  mkdir "$work/held"
  find "$maildir_on_server/new" "$maildir_on_server/cur" -type f -exec mv -t "$work/held" {} +
  : >"$work/procmail-done"
  (umask 077 && cat >"$home/popsync.toml") <<END
[accounts.test]
host = "127.0.0.1"
port = $port
tls = "none"
allow_insecure_auth = true
user = "$user"
password = "$password"
mbox = "$home/Mail/inbox"
leave_on_server = false
END
  (umask 077 && cat >"$home/procmailrc") <<END
MAILDIR=$home/Mail
DEFAULT=$home/Mail/inbox
LOCKSLEEP=1
LOCKTIMEOUT=0
:0:
inbox
END
  [ "$(id -u)" -ne 0 ] || chown -R nobody:nogroup "$home"
}

stop_all() {
  [ -z "$procmails" ] || kill "$procmails" 2>/dev/null || true
  [ -n "$server" ] || return 0
  exec 9>&- 8<&-
  wait "$server" || true
  server=
}

# The size of a message grows with its number: of the last ones some write calls are needed.
deliver_with_procmail() {
  exec 8<&- 9>&-
  for ((n = 1; n <= messages; ++n)); do
    tests/bench/two_writers.py message "$n" |
      HOME=$home "${as_user[@]}" procmail -f procmail@example.org "$home/procmailrc" 2>>"$work/procmail.log" || echo "procmail refuses message $n" >&2
    echo "$n" >>"$work/procmail-done"
  done
}

# The process becomes the program, so that the kill meets it and no shell.
run_popsync() {
  exec 8<&- 9>&- </dev/null >>"$work/log" 2>&1
  export HOME=$home
  exec "${as_user[@]}" "$work/popsync" sync -c "$home/popsync.toml" --state-dir "$home/state"
}

kill_after() {
  run_popsync &
  local pid=$!
  sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
  kill -KILL "$pid" 2>/dev/null || true
  local status=0
  { wait "$pid" || status=$?; } 2>/dev/null
  [ "$status" -ne 137 ] || met=$((met + 1))
}

count() {
  echo "$met kills met popsync at work, $((kills - met)) came when it had ended"
  tests/bench/two_writers.py count "$home/Mail/inbox" "$messages" "$work/originals" "$maildir_on_server"
}

main
