#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""No cache line that one worker writes while it carries packets is touched by another.

usage: lines.py PROGRAM

Runs lines_test under valgrind's lackey, which writes down each load and store, and sorts the
accesses between the program's marks by worker and line of 64 bytes. Steady traffic must leave no
line that one worker stored to and another touched, but for those that ALLOWED names. In the
program's other phases the workers do one thing that breaks the rule, which must be found at the
place where it was done: so this can't pass by being blind.
"""

import collections
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time

LINE = 64
SKIPPED = 77
# Phases of the program in their order, and the place where each breaks the rule.
PHASES = (
    ("steady", None),
    ("count together", "counter"),
    ("count beside", "counter"),
    ("hand over", "handoff_to_"),
)
# Lines that may be written by one worker and touched by another: how many in which place, and why.
ALLOWED = {
    # The library's direct calls clear its global imb_errno; ours to read or change it isn't.
    "libIPSec_MB.so": 1,
    # Counters of net_ring's queues, the test's driver, lie side by side: two ports, two lines each.
    "memfd:nohuge": 4,
}
# What lackey writes: "I  addr,size" for an instruction; " L", " S" and " M" (both) for data.
ACCESS = re.compile(rb"^ ([LSM]) ([0-9a-f]+),(\d+)$", re.M)


class Program:
    """What the program says on its standard output, read while it runs."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.marks = {}
        self.ranges = []
        self.maps = []
        self.rest = []
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.pipe:
            word = line.split()
            if word[:1] == ["mark"]:
                self.marks[int(word[2], 16)] = int(word[1])
                if len(self.marks) == 4:
                    self.ready.set()
            elif word[:1] == ["range"]:
                start = int(word[2], 16)
                self.ranges.append((start, start + int(word[3], 16), word[1]))
            elif word[:1] == ["map"]:
                start, end = word[1].split("-")
                name = os.path.basename(word[6]) if len(word) > 6 else "memory"
                self.maps.append((int(start, 16), int(end, 16), name))
            else:
                self.rest.append(line)
        self.ready.set()  # it has ended, whatever it said

    def name(self, line):
        """A line's place, for people: the first of its parts that the program named."""
        for start, end, name in self.ranges:
            if start < line + LINE and line < end:
                return "%s+0x%x" % (name, max(line - start, 0))
        for start, end, name in self.maps:
            if start <= line < end:
                return "%s+0x%x" % (name, line - start)
        return "memory"


class Recording:
    """Lines that each worker loaded from and stored to in its turns."""

    def __init__(self):
        self.loaded = (set(), set())
        self.stored = (set(), set())
        self.accesses = [0, 0]
        self.turns = [0, 0]
        self.now = None  # whose turn it is

    def take(self, at, size, kind):
        self.accesses[self.now] += 1
        lines = range(at // LINE * LINE, at + size, LINE)
        if kind != b"S":
            self.loaded[self.now].update(lines)
        if kind != b"L":
            self.stored[self.now].update(lines)

    def begin(self, worker):
        self.now = worker if worker < 2 else None
        if self.now is not None:
            self.turns[worker] += 1

    def shared(self):
        """Lines that one worker stored to and the other touched."""
        touched = [self.loaded[i] | self.stored[i] for i in range(2)]
        return sorted((self.stored[0] & touched[1]) | (self.stored[1] & touched[0]))

    def how(self, line):
        words = []
        for i in range(2):
            did = [what for what, of in (("loads", self.loaded), ("stores", self.stored)) if line in of[i]]
            words.append("worker %d %s" % (i, " and ".join(did)))
        return ", ".join(words)


def sort_out(text, marks, phases):
    """Put the accesses of a piece of the trace where they belong."""
    for kind, address, size in ACCESS.findall(text):
        at = int(address, 16)
        if kind != b"L" and at in marks:
            if marks[at] == 3:
                phases.append(Recording())
            else:
                phases[-1].begin(marks[at])
        elif phases and phases[-1].now is not None:
            phases[-1].take(at, int(size), kind)


def record(path):
    """Run the program. Returns what it said and what was recorded of each phase."""
    read_end, write_end = os.pipe()
    run = subprocess.Popen(
        ["valgrind", "--tool=lackey", "--trace-mem=yes", "--log-fd=%d" % write_end, path],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[write_end],
    )
    os.close(write_end)
    program = Program(run.stdout)
    phases = []
    tail = b""
    with os.fdopen(read_end, "rb", buffering=0) as trace:
        # lackey writes line by line. A reader that takes each at once costs two switches a line, so
        # let the pipe fill meanwhile.
        fcntl.fcntl(read_end, fcntl.F_SETPIPE_SZ, 1 << 20)
        while chunk := trace.read(1 << 20):
            time.sleep(0.005)
            text, newline, tail = (tail + chunk).rpartition(b"\n")
            # Most of a recording lies outside turns: it is passed over at once.
            inside = phases and phases[-1].now is not None
            if program.ready.is_set() and (inside or any(b"%x,8" % at in text for at in program.marks)):
                sort_out(text + newline, program.marks, phases)
    status = run.wait()
    program.thread.join()
    if status != 0 or len(phases) != len(PHASES) or any(min(p.turns) == 0 for p in phases):
        sys.exit("status %d, %d phases recorded\n%s" % (status, len(phases), "".join(program.rest)))
    return program, phases


def check(program, recording, name, wanted):
    """wanted: the place where this phase breaks the rule; None: it must not."""
    part = lambda line: program.name(line).partition("+")[0]
    bad = recording.shared()
    for place, count in ALLOWED.items():
        there = [line for line in bad if part(line).startswith(place)]
        if len(there) <= count:
            bad = [line for line in bad if line not in there]
            print("  %s: %d lines by design of others, %s" % (place, len(there), name))
    both = (recording.loaded[0] & recording.loaded[1]) - recording.stored[0] - recording.stored[1]
    print(
        "%s: %d and %d accesses in %d and %d turns, %d and %d lines written"
        % (name, *recording.accesses, *recording.turns, *map(len, recording.stored))
    )
    print("  %d lines read by both and written by none:" % len(both), end="")
    print("", *("%s %d" % of for of in collections.Counter(map(part, both)).most_common()), sep=" ")
    print("  %d lines written by one and touched by the other" % len(bad))
    for line in bad:
        print("    %s: %s" % (program.name(line), recording.how(line)))
    if any(part(line).startswith(wanted) for line in bad) if wanted else not bad:
        return True
    print("  FAILED: " + ("nothing found in " + wanted if wanted else "there must be none"))
    return False


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("valgrind") is None:
        print("skipped: no valgrind")
        sys.exit(SKIPPED)
    program, phases = record(sys.argv[1])
    fine = [check(program, p, *what) for p, what in zip(phases, PHASES)]
    sys.exit(0 if all(fine) else 1)


main()
