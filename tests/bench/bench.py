#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./dev bench: measures popsync against the wire limit and the programs that are installed, and prints one table.

docs/performance.md says what is measured and how.
"""
import argparse
import dataclasses
import datetime
import os
import platform
import signal
import sys

import limits
import programs
import rows
import table
from world import Failed, World


ALL_ROWS = rows.ALL + limits.ALL


@dataclasses.dataclass
class Size:
    messages: int
    large: int
    accounts: int
    scheduled: int         # accounts of one daemon
    interval: int          # theirs, in seconds
    giant: int             # octets
    traced: int            # messages of the sync whose system calls are counted
    runs: int
    patience: int          # seconds for a run; who takes longer is measured no further
    patience_prepare: int


FULL = Size(messages=10_000, large=100_000, accounts=200, scheduled=10_000, interval=300, giant=1 << 30, traced=2_000, runs=3, patience=120, patience_prepare=600)
QUICK = Size(messages=1_000, large=5_000, accounts=50, scheduled=300, interval=10, giant=64 << 20, traced=300, runs=3, patience=6, patience_prepare=60)
QUICK_RIVALS = ("wire limit", "popsync", "mpop")


def arguments():
    names = [row.name for row in ALL_ROWS]
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures popsync and its rivals; prints one table.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="of " + ", ".join(names) + "; default: all")
    parser.add_argument("--quick", action="store_true", help="under two minutes: fewer messages, mpop as the only rival")
    parser.add_argument("--runs", type=int, metavar="N", help="so many runs of each program (default 3)")
    parser.add_argument("--messages", type=int, metavar="N", help="in the first sync (default 10000; quick: 1000)")
    parser.add_argument("--patience", type=int, metavar="SECONDS", help="for a run; who takes longer is measured no further")
    parser.add_argument("--programs", metavar="NAME,...", help="only these, of wire limit, " + ", ".join(p.name for p in programs.ALL[1:]))
    parser.add_argument("--result", metavar="FILE", help="keep what is printed there, too")
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name in given.rows:
        if name not in names:
            parser.error(f"no row is called {name}; there are {', '.join(names)}")
    known = [program.name for program in programs.ALL]
    for name in given.programs.split(",") if given.programs else []:
        if name not in known:
            parser.error(f"no program is called {name}; there are {', '.join(known)}")
    return given


def main():
    given = arguments()
    size = dataclasses.replace(QUICK if given.quick else FULL)
    for field in ("runs", "messages", "patience"):
        if getattr(given, field):
            setattr(size, field, getattr(given, field))
    wanted = given.programs.split(",") if given.programs else QUICK_RIVALS if given.quick else [program.name for program in programs.ALL]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that nothing is left behind
    world = World(given.build)
    try:
        chosen = [row(world, size) for row in ALL_ROWS if not given.rows or row.name in given.rows]
        candidates = [program(world) for program in programs.ALL if program.name in wanted]
        present = [program for program in candidates if program.available()]
        out = table.Output(given.result)
        tell_setting(out, size, present, [program for program in candidates if program not in present])
        start_server(world, chosen)
        measured = [measure(row, present, size) for row in chosen]
        table.print_table(out, [line for lines, _ in measured for line in lines], [program.name for program in present])
        out.say("", "The runs one by one, in seconds:")
        for row, (_, notes) in zip(chosen, measured):
            for note in notes:
                out.say(f"  {row.name:15} {note}")
        out.say("", f"Load at the end: {load()}")
    finally:
        world.close()


def tell_setting(out, size, present, absent):
    out.say("./dev bench " + " ".join(sys.argv[1:]))
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), "unknown processor")
    out.say(f"{datetime.date.today()}, {os_name()}, Linux {platform.release()}, {os.cpu_count()} x {cpu}; load at the start: {load()}")
    out.say("; ".join(program.version() for program in present))
    for program in absent:
        out.say(f"not installed, left out: {program.name}")
    out.say(f"Dovecot {programs.package_version('dovecot-core')}, Maildir on tmpfs, mail stays on the server; medians of {size.runs} runs in turn", "")


def os_name():
    with open("/etc/os-release", encoding="utf-8") as file:
        return dict(line.rstrip().split("=", 1) for line in file if "=" in line)["PRETTY_NAME"].strip('"')


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def start_server(world, chosen):
    realistic, small = {}, {}
    for row in chosen:
        for wanted, drops in zip((realistic, small), row.maildrops()):
            wanted.update(drops)
    world.start_server(realistic, small)


def measure(row, present, size):
    """The table's lines and a note for each program: its samples, or why there are none."""
    print(f"{row.name} ...", file=sys.stderr, flush=True)
    taking_part = [program for program in present if program.name in row.rivals]
    results, notes = {}, {}
    try:
        row.begin()
        for program in list(taking_part):
            attempt(program, taking_part, notes, lambda program=program: row.prepare(program) or True, size)
        for _ in range(row.runs or size.runs):
            for program in list(taking_part):
                sample = attempt(program, taking_part, notes, lambda program=program: row.sample(program, size.patience), size)
                if sample:
                    results.setdefault(program.name, []).append(sample)
    finally:
        row.end()
    for name, samples in results.items():
        notes[name] = " ".join([row.note(sample) for sample in samples] + [note for note in [notes.get(name)] if note])
    lines = row.lines(results)
    for line in lines[:1]:
        line.excuses = {name: note for name, note in notes.items() if name not in results}
    return lines, [f"{name}: {note}" for name, note in notes.items()]


def attempt(program, taking_part, notes, work, size):
    try:
        result = work()
        if result is None:
            notes[program.name] = f"> {size.patience} s"
    except Failed as failure:
        result = None
        notes[program.name] = f"failed: {failure}"
    if result is None:
        taking_part.remove(program)
    return result


if __name__ == "__main__":
    main()
