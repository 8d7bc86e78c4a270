# SPDX-License-Identifier: BSD-3-Clause
"""Commands for gdb on visp-dataplane, live or from a core: visp-slot and visp-drops.

Both look for a variable named `core`, or through `m` or `program` (struct dp_main), in the selected
frame or among the globals.
"""

import gdb


def find_core():
    for text in ("core", "&m->core", "&program->core"):
        try:
            value = gdb.parse_and_eval(text)
            if value.type.code != gdb.TYPE_CODE_PTR:
                value = value.address
            return value.dereference()
        except gdb.error:
            continue
    raise gdb.GdbError("no struct dp_core here: select a frame of main or of a worker")


class Slot(gdb.Command):
    """visp-slot PEER-ID: directory entry and head of a session."""

    def __init__(self):
        super().__init__("visp-slot", gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        core = find_core()
        slot = int(gdb.parse_and_eval(arg or "0"))
        if slot >= int(core["sessions"]):
            raise gdb.GdbError("the table has %d slots" % int(core["sessions"]))
        print("dir[%d] = %s" % (slot, core["dir"][slot]))
        head = core["session"][slot]
        for field in head.type.fields():
            if field.name != "window" and "reserved" not in field.name:
                print("%s = %s" % (field.name, head[field.name]))


class Drops(gdb.Command):
    """visp-drops: drop counters that aren't zero, all workers."""

    def __init__(self):
        super().__init__("visp-drops", gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        core = find_core()
        names = gdb.parse_and_eval("dp_drop_name")
        first, last = names.type.range()
        for reason in range(first, last + 1):
            total = 0
            for worker in range(int(core["workers"])):
                total += int(core["worker"][worker]["drop"][reason])
            if total:
                print("%-24s %d" % (names[reason].string(), total))


Slot()
Drops()
