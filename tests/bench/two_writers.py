#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""two_writers.py message N: the N-th message that procmail delivers.

two_writers.py count MBOX MESSAGES ORIGINALS ON_SERVER: takes the mbox apart and prints, for popsync and for procmail, how many messages are lost (nowhere
whole, not on the server either), doubled (whole copies beyond the first) and cut (entries that are no whole copy). Fails unless all are 0.
"""
import collections
import os
import re
import sys

QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
FROM_LINE = re.compile(rb"^From ", re.MULTILINE)
MARKER = re.compile(rb"\AX-Popsync-Id: [^\n]*\n")


def message(number):
    lines = "".join(f"line {line} of {number}\n" for line in range(number * 7 % 2000))
    return f"Message-ID: <{number}@two-writers>\nFrom: procmail@example.org\nSubject: message {number}\n\n{lines}end of {number}\n".encode()


def files(maildir):
    for part in ("new", "cur"):
        folder = os.path.join(maildir, part)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                # As the server sends and popsync has to store it: every line end is one LF, the last one is there.
                octets = file.read().replace(b"\r\n", b"\n")
                yield octets if octets.endswith(b"\n") else octets + b"\n"


def entries(mbox):
    with open(mbox, "rb") as file:
        octets = file.read()
    starts = [match.start() for match in FROM_LINE.finditer(octets)] + [len(octets)]
    if starts[0] != 0:
        yield octets[: starts[0]]
    for start, end in zip(starts, starts[1:]):
        entry = octets[start:end]
        content = entry[entry.find(b"\n") + 1 :]
        # The empty line behind each entry is the mbox's, not the message's.
        yield content[:-1] if content.endswith(b"\n\n") else content


def count(mbox, messages, originals, on_server):
    theirs = collections.Counter(message(number) for number in range(1, messages + 1))
    ours = collections.Counter(files(originals))
    kept = collections.Counter(files(on_server))
    found = {"popsync": collections.Counter(), "procmail": collections.Counter()}
    cut = collections.Counter()
    for content in entries(mbox):
        marked = MARKER.match(content)
        name = "popsync" if marked else "procmail"
        copy = QUOTED.sub(rb"\1", content[marked.end() :]) if marked else content
        if copy in (ours if marked else theirs):
            found[name][copy] += 1
        else:
            cut[name] += 1
    bad = 0
    print(f"{'':10} {'here':>6} {'lost':>6} {'doubled':>8} {'cut':>6}")
    for name, wanted, elsewhere in (("popsync", ours, kept), ("procmail", theirs, collections.Counter())):
        lost = sum(max(0, times - found[name][each] - elsewhere[each]) for each, times in wanted.items())
        doubled = sum(max(0, times - wanted[each]) for each, times in found[name].items())
        print(f"{name:10} {sum(found[name].values()):6} {lost:6} {doubled:8} {cut[name]:6}")
        bad += lost + doubled + cut[name]
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1] == "message":
        sys.stdout.buffer.write(message(int(sys.argv[2])))
    else:
        sys.exit(count(sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
