#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""on_terminal.py ANSWER PROMPT COMMAND...: run a command on a terminal of its own and answer once
when it writes PROMPT. What it writes goes to standard output; SIGTERM is passed on."""
import os
import pty
import re
import signal
import sys

answer, prompt = sys.argv[1], re.compile(sys.argv[2].encode())
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[3], sys.argv[3:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
seen = b""
while True:
    try:
        got = os.read(fd, 4096)
    except OSError:
        break
    if not got:
        break
    os.write(1, got)
    if prompt is not None:
        seen += got
        if prompt.search(seen):
            prompt = None
            os.write(fd, answer.encode() + b"\n")
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
