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
# with SIGKILL after a random part of that time, once more and sooner if it had ended by then, and then one is left to finish. A dot lock that is left
# holds procmail until then. A message of procmail's is here if its whole text is; one of popsync's if the octets under its X-Popsync-Id, read as mboxrd,
# are those of the original.
#
# Needs (installs, as root): dovecot-pop3d procmail python3, and ./dev build's popsync and private_dovecot.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=tests/bench/killed_program.sh
. tests/bench/killed_program.sh

messages=${MESSAGES:-1000}
kills=${KILLS:-20}
missed=0 # kills that came when popsync had ended

main() {
  prepare two_writers dovecot-pop3d procmail python3
  set_up
  printf '%s messages each, %s kills\n\n' "$messages" "$kills"
  finish_popsync # before procmail writes: an mbox that holds mail at the first sync is a question to the operator
  set -m # a process group of its own, to be ended as one
  deliver_with_procmail &
  helper=$!
  set +m
  mail_comes
  local begin end milliseconds limit after before
  begin=$(date +%s%N)
  finish_popsync
  end=$(date +%s%N)
  milliseconds=$(((end - begin) / 1000000))
  limit=$milliseconds
  while [ "$met" -lt "$kills" ]; do
    until [ "$(wc -l <"$work/procmail-done")" -ge $(((met + 1) * messages / (kills + 1))) ]; do sleep 0.02; done
    mail_comes
    before=$met
    after=$((limit * (RANDOM % 1000) / 1000))
    kill_after "$after" become_popsync
    finish_popsync
    if [ "$met" -gt "$before" ]; then
      limit=$milliseconds
    else
      missed=$((missed + 1))
      limit=$after # it was over by then
    fi
  done
  mail_comes
  wait "$helper"
  helper=
  finish_popsync
  count
}

# Another part of the messages appears on the server; for each kill that is to come, and for the end, one as large is left.
mail_comes() {
  local files=("$work"/held/*) parts=$((kills - met + 1))
  [ -e "${files[0]}" ] || { echo 'no mail is left for another kill' >&2 && exit 1; }
  mv "${files[@]:0:$(((${#files[@]} + parts - 1) / parts))}" "$maildir_on_server/new/"
}

finish_popsync() {
  for _ in 1 2 3; do
    if (become_popsync); then return; fi
  done
  tail -n 5 "$work/log" >&2
  exit 1
}

set_up() {
  home=$work/home
  mkdir -p "$home/Mail"
  start_server "$work" "$messages"
  mkdir "$work/held"
  find "$maildir_on_server/new" "$maildir_on_server/cur" -type f -exec mv -t "$work/held" {} +
  : >"$work/procmail-done"
  configure_popsync "mbox = \"$home/Mail/inbox\"" 'leave_on_server = false'
  configuration procmailrc <<END
MAILDIR=$home/Mail
DEFAULT=$home/Mail/inbox
LOCKSLEEP=1
LOCKTIMEOUT=0
:0:
inbox
END
  give_home
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

count() {
  echo "$met kills met popsync at work; $missed came when it had ended and were repeated"
  tests/bench/two_writers.py count "$home/Mail/inbox" "$messages" "$work/originals" "$maildir_on_server"
}

main
