# SPDX-License-Identifier: BSD-3-Clause
# Loaded by gdb started in this folder (allow it once: add-auto-load-safe-path in ~/.config/gdb/gdbinit).
set print pretty on
set print array-indexes on
set pagination off
# Workers sleep and wake by signals and eventfds; neither is of interest.
handle SIGUSR1 SIGPIPE nostop noprint pass
source scripts/gdb_visp.py
