#!/bin/bash
# SPDX-License-Identifier: MIT
# Kills popsync, mpop, fetchmail and getmail6 twenty times in their first sync of 2,000 messages, then lets each finish, and counts what was lost, what
# came twice and what came in part. Prints one table; a run takes some minutes.
#
#   tests/bench/killed_rivals.sh [SEED]          PROGRAMS="popsync mpop" MESSAGES=500 KILLS=5 POLICIES=keep: less of it
#
# The server is a Dovecot of our own on 127.0.0.1, new for each row, the same mail in it. Every program has the configuration its manual shows for
# the purpose, in cleartext, into an empty Maildir; nothing is tuned. fetchmail has no delivery of its own: procmail gets each message, as in its
# manual. getmail6 now and then misses the end of its delivery process, waits for "timeout" and gives up the session: 20 seconds in place of 180.
# First an undisturbed run is timed on the same mail. Then SIGKILL comes twenty times, each time after a random part of half that time; "here" is
# how many messages were, whole, after the last of them. Then the program runs until all is here, twice at least, since what it does about a kill
# may take it a run. Only the program itself is killed, not the delivery agent it may have started. Started by root, all four run as nobody
# (getmail6 does not deliver as root).
# "keep": mail stays on the server; "remove": it is deleted there when fetched.
#
# Needs (installs, as root): dovecot-pop3d fetchmail getmail6 mpop procmail python3, and ./dev build's popsync and private_dovecot.
set -euo pipefail
cd "$(dirname "$0")/../.."

# shellcheck source=tests/bench/killed_program.sh
. tests/bench/killed_program.sh

messages=${MESSAGES:-2000}
kills=${KILLS:-20}
read -ra programs <<<"${PROGRAMS:-popsync mpop fetchmail getmail}"
read -ra policies <<<"${POLICIES:-keep remove}"

main() {
  prepare killed_rivals dovecot-pop3d fetchmail getmail6 mpop procmail python3
  printf '%s messages, %s kills each\n\n' "$messages" "$kills"
  printf '%-29s %-7s %8s %6s %6s %8s %8s\n' program policy 'time' here lost doubled partial
  for policy in "${policies[@]}"; do
    for program in "${programs[@]}"; do measure; done
  done
}

# One row: an undisturbed run for the time, a killed one for the counts.
measure() {
  set_up timing
  local begin end
  begin=$(date +%s%N)
  (run_program) || true
  end=$(date +%s%N)
  (run_program) || true
  local milliseconds=$(((end - begin) / 1000000))
  local undisturbed
  undisturbed=$(count)
  if [ "$undisturbed" != "0 0 0 $messages" ]; then
    echo "$program $policy: even undisturbed: $undisturbed (lost, doubled, partial, here)" >&2
    tail -n 5 "$work/log" >&2
  fi

  set_up killed
  for ((i = 0; i < kills; ++i)); do kill_after $((milliseconds * (RANDOM * 32768 + RANDOM) / 2 / 1073741824)) run_program; done
  local here
  here=$(count | cut -d ' ' -f 4)
  for run in 1 2 3 4 5; do
    (run_program) || true
    [ "$run" -lt 2 ] || [ "$(count | cut -d ' ' -f 4)" != "$messages" ] || break
  done
  local lost doubled partial
  read -r lost doubled partial _ <<<"$(count)"
  printf '%-29s %-7s %6d.%ds %6d %6d %8d %8d\n' "$(version)" "$policy" $((milliseconds / 1000)) $((milliseconds / 100 % 10)) \
    "$here" "$lost" "$doubled" "$partial"
}

count() { tests/bench/count_copies.py "$place/originals" "$maildir_on_server" "$home/mail"; }

# ---- the server, and a home with each program's configuration

set_up() {
  stop_server
  place=$work/$program-$policy-$1
  home=$place/home
  mkdir -p "$home"/getmail "$home"/mail/{new,cur,tmp}
  start_server "$place" "$messages"
  "configure_for_$program"
  give_home
}

run_program() {
  case $program in
    popsync) become_popsync ;;
    mpop) become mpop --file="$home/mpoprc" --quiet test ;;
    getmail) become getmail --getmaildir="$home/getmail" --rcfile=getmailrc --quiet ;;
    fetchmail) become fetchmail --fetchmailrc "$home/fetchmailrc" --silent ;;
  esac
}

version() {
  case $program in
    popsync) build/popsync --version | head -n 1 ;;
    getmail) echo "getmail6 $(dpkg-query -W -f='${Version}' getmail6)" ;;
    fetchmail) echo "fetchmail $(dpkg-query -W -f='${Version}' fetchmail), procmail" ;;
    *) echo "$program $(dpkg-query -W -f='${Version}' "$program")" ;;
  esac
}

configure_for_popsync() {
  configure_popsync "maildir = \"$home/mail\"" "leave_on_server = $([ "$policy" = keep ] && echo true || echo false)"
}

configure_for_mpop() {
  configuration mpoprc <<END
account test
host 127.0.0.1
port $port
tls off
auth user
user $user
password $password
keep $([ "$policy" = keep ] && echo on || echo off)
delivery maildir $home/mail
uidls_file $home/uidls
END
}

configure_for_getmail() {
  configuration getmail/getmailrc <<END
[retriever]
type = SimplePOP3Retriever
server = 127.0.0.1
port = $port
username = $user
password = $password
timeout = 20
[destination]
type = Maildir
path = $home/mail/
[options]
read_all = false
delete = $([ "$policy" = keep ] && echo false || echo true)
END
}

configure_for_fetchmail() {
  configuration procmailrc <<END
MAILDIR=$home
DEFAULT=$home/mail/
END
  configuration fetchmailrc <<END
poll 127.0.0.1 port $port protocol POP3 uidl
  user "$user" password "$password" sslproto ""
  $([ "$policy" = keep ] && echo keep || echo nokeep)
  mda "/usr/bin/procmail $home/procmailrc"
END
}

main
