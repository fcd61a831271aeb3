# SPDX-License-Identifier: MIT
"""Prints, and keeps in a file what is printed."""


class Output:
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8") if path else None

    def say(self, *lines):
        for line in lines:
            print(line.rstrip(), flush=True)
            if self.file:
                print(line.rstrip(), file=self.file, flush=True)


def print_table(out, lines, names):
    """In brackets: the ratio to the wire limit, where there is one, else to popsync."""
    grid = [["", *names, "target", ""]]
    for line in lines:
        grid.append([line.title, *(cell(line, name) for name in names), line.target, {True: "met", False: "MISSED", None: ""}[line.met]])
    widths = [max(len(row[column]) for row in grid) for column in range(len(grid[0]))]
    for row in grid:
        out.say("  ".join(text.ljust(width) for text, width in zip(row, widths)))
    out.say("", "In brackets: times the wire limit, or times popsync where there is none. RT: round trips.")


def cell(line, name):
    if name not in line.values:
        excuse = getattr(line, "excuses", {}).get(name, "-")
        return "failed" if excuse.startswith("failed") else excuse
    value = line.values[name]
    base = "wire limit" if "wire limit" in line.values else "popsync"
    ratio = f" ({value / line.values[base]:.2f}x)" if name != base and line.values.get(base) else ""
    return line.text(value) + ratio
