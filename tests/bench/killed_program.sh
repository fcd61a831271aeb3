# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts share that kill a program at random moments: a Dovecot of our own, somebody to run as, the kill. Sourced, in the root of the tree,
# with the script's arguments; sets $seed, and $RANDOM by it.
#
# The script sets $home (where the program finds its configuration) and, while others are at work beside it, $helper (the id of their process group).
# prepare sets $work, which is gone at the end.

seed=${1:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
as_user=()
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid nobody --regid nogroup --clear-groups)
home=
helper=
server=
met=0 # kills that came before the program had ended
RANDOM=$((seed % 32768))

# prepare NAME PACKAGE...
prepare() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/${1//_/-}.XXXXXX")
  trap 'clean_up' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  install_missing "${@:2}"
  cp build/popsync "$work/" # nobody may have no way into this tree
  chmod 755 "$work"
  printf 'tests/bench/%s.sh %s\n%s, Linux %s\n' "$1" "$seed" "$(date -u +%F)" "$(uname -r)"
}

clean_up() {
  if [ -n "$helper" ]; then
    kill -- "-$helper" 2>/dev/null || true
    while kill -0 -- "-$helper" 2>/dev/null; do sleep 0.02; done # it would write into the folder that is being removed
  fi
  stop_server
  rm -rf "$work"
}

install_missing() {
  local missing=() package program
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] || DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}" >"$work/apt.log"
  for program in popsync private_dovecot; do
    [ -x "build/$program" ] || { echo "build/$program is missing: ./dev build" >&2 && exit 1; }
  done
}

# start_server FOLDER MESSAGES: a copy of the messages stays in FOLDER/originals. Sets port, user, password and maildir_on_server.
start_server() {
  mkdir -p "$1"/{server,originals}
  mkfifo "$1/in" "$1/out"
  build/private_dovecot "$1/server" --messages "$2" <"$1/in" >"$1/out" 2>"$1/server.log" &
  server=$!
  exec 9>"$1/in" 8<"$1/out"
  while IFS= read -r line <&8; do
    case $line in
      PORT=*) port=${line#*=} ;;
      USER=*) user=${line#*=} ;;
      PASSWORD=*) password=${line#*=} ;;
      MAILDIR=*) maildir_on_server=${line#*=} ;;
      READY) break ;;
    esac
  done
  cp -R "$maildir_on_server/new" "$maildir_on_server/cur" "$1/originals/"
}

stop_server() {
  [ -n "$server" ] || return 0
  exec 9>&- 8<&-
  wait "$server" || true
  server=
}

# configuration NAME: a file in $home, from standard input.
configuration() { (umask 077 && cat >"$home/$1"); }

# configure_popsync LINE...: with these lines for the account.
configure_popsync() {
  configuration popsync.toml <<END
[accounts.test]
host = "127.0.0.1"
port = $port
tls = "none"
allow_insecure_auth = true
user = "$user"
password = "$password"
$(printf '%s\n' "$@")
END
}

# Whoever runs the programs owns what they work on.
give_home() { [ "$(id -u)" -ne 0 ] || chown -R nobody:nogroup "$home"; }

# become COMMAND...: the process becomes the program, so that the kill meets it and no shell.
become() {
  exec 8<&- 9>&- </dev/null >>"$work/log" 2>&1
  export HOME=$home
  exec "${as_user[@]}" "$@"
}

become_popsync() { become "$work/popsync" sync -c "$home/popsync.toml" --state-dir "$home/state"; }

# kill_after MILLISECONDS FUNCTION: of its start, if it has not ended by then.
kill_after() {
  local pid status=0
  # In a process group of its own: a delivery agent still at work must be waited for.
  set -m
  "$2" &
  pid=$!
  set +m
  sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
  kill -KILL "$pid" 2>/dev/null || true
  { wait "$pid" || status=$?; } 2>/dev/null
  [ "$status" -ne 137 ] || met=$((met + 1))
  while kill -0 -- "-$pid" 2>/dev/null; do sleep 0.02; done
}
