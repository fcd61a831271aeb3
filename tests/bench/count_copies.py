#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""count_copies.py ORIGINALS ON_SERVER DELIVERED: compares Maildirs and prints "LOST DOUBLED PARTIAL HERE".

LOST: originals of which no whole copy is left, neither delivered nor on the server. DOUBLED: whole copies beyond the first of each. PARTIAL: delivered
files that are no original's whole copy. HERE: originals delivered whole. Programs add header fields, so a message is known by the ids in its oldest Received fields (those of the test
corpus are unlike any other), and a copy is whole if its body is the original's, but for empty lines (getmail6 puts some around MIME parts).
"""
import collections
import hashlib
import os
import re
import sys

RECEIVED_ID = re.compile(rb"with ESMTPS id (\d+);")
EMPTY_LINES = re.compile(rb"\n{2,}")


def files(maildir):
    for part in ("new", "cur"):
        folder = os.path.join(maildir, part)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                yield file.read().replace(b"\r\n", b"\n")


def identity(message):
    header, _, body = message.partition(b"\n\n")
    return tuple(RECEIVED_ID.findall(header)), hashlib.sha256(EMPTY_LINES.sub(b"\n", body).strip(b"\n")).digest()


def main(originals, on_server, delivered):
    all_messages = collections.Counter(identity(message) for message in files(originals))
    assert all(count == 1 for count in all_messages.values()), "two originals cannot be told apart"
    copies = collections.Counter(identity(message) for message in files(delivered))
    kept = {identity(message) for message in files(on_server)}
    lost = sum(1 for message in all_messages if message not in kept and message not in copies)
    doubled = sum(count - 1 for message, count in copies.items() if message in all_messages)
    partial = sum(count for message, count in copies.items() if message not in all_messages)
    here = sum(1 for message in all_messages if message in copies)
    print(lost, doubled, partial, here)


if __name__ == "__main__":
    main(*sys.argv[1:])
