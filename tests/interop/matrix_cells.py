#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints the cells of the interoperability matrix, one a line, fields separated by tabs.

quick: every value of each dimension at least once. full: every pair of values of two dimensions at
least once (pairwise covering), as far as the rules allow the pair. The same cells each time.
"""
import itertools
import random
import sys

DIMENSIONS = {
    "peers": ["visp visp", "visp openvpn", "openvpn visp", "openvpn openvpn"],
    "cipher": [
        "AES-256-GCM",
        "CHACHA20-POLY1305",
        "AES-128-GCM",
        "AES-192-GCM",
        "AES-256-CBC",
        "AES-192-CBC",
        "AES-128-CBC",
        "AES-256-CFB",
        "AES-192-CFB",
        "AES-128-CFB",
        "AES-256-OFB",
        "AES-192-OFB",
        "AES-128-OFB",
        "BF-CBC",
        "CAMELLIA-256-CBC",
        "CAMELLIA-128-CBC",
        "none",
    ],
    "digest": ["SHA1", "SHA256", "SHA512", "MD5"],
    "wrap": ["tls-crypt", "tls-auth", "none", "tls-crypt-v2"],
    "tls": ["1.3", "1.2"],
    "proto": ["udp4", "udp6"],
    "inner": ["4", "4+6"],
    "topology": ["subnet", "net30", "p2p"],
    "format": ["v2", "v1", "epoch"],
    "mobility": ["aggressive", "lazy"],
}
NAMES = list(DIMENSIONS)
OURS = "visp visp"  # server and client


def aead(cipher):
    return cipher.endswith("GCM") or cipher.endswith("POLY1305")


def allowed(cell):
    """Can a cell, perhaps with fields still missing, exist?"""
    both_ours = cell.get("peers", OURS) == OURS
    # Only our client can be told to announce an older or newer data format, and only together with
    # our server does such a session follow it; lazy mode is ours as well.
    if cell.get("format", "v2") != "v2" and not both_ours:
        return False
    if cell.get("mobility", "aggressive") == "lazy":
        if not both_ours:
            return False
        # Without a peer-id the session id has to travel in the IV: AEAD has no room for it there,
        # and without a cipher there is no IV.
        cipher = cell.get("cipher", "AES-256-CBC")
        if cell.get("format") == "v1" and (aead(cipher) or cipher == "none"):
            return False
    if cell.get("format") == "epoch" and not aead(cell.get("cipher", "AES-256-GCM")):
        return False
    return True


def complete(cell, rng):
    """Fill in the missing fields at random. None if the rules don't let it."""
    missing = [n for n in NAMES if n not in cell]
    rng.shuffle(missing)
    for name in missing:
        values = [v for v in DIMENSIONS[name] if allowed({**cell, name: v})]
        if not values:
            return None
        cell = {**cell, name: rng.choice(values)}
    return cell


def covering(size, tries):
    """Cells that have all combinations of so many values, by greedy choice."""
    rng = random.Random(1)
    wanted = [
        tuple(zip(names, values))
        for names in itertools.combinations(NAMES, size)
        for values in itertools.product(*(DIMENSIONS[n] for n in names))
    ]
    left = dict.fromkeys(w for w in wanted if allowed(dict(w)))
    cells = []
    while left:
        first = next(iter(left))
        found = [complete(dict(first), rng) for _ in range(tries)]
        found = [c for c in found if c]
        if not found:
            del left[first]  # no third field fits both
            continue

        def gain(cell):
            return sum(w in left for w in itertools.combinations(cell_items(cell), size))

        best = max(found, key=gain)
        cells.append(best)
        for w in itertools.combinations(cell_items(best), size):
            left.pop(w, None)
    return cells


def cell_items(cell):
    return [(n, cell[n]) for n in NAMES]


def main():
    if sys.argv[1:] == ["quick"]:
        DIMENSIONS["peers"].remove("openvpn openvpn")  # there for comparison only
        cells = covering(1, 60)
    elif sys.argv[1:] == ["full"]:
        cells = covering(2, 60)
    else:
        sys.exit("usage: matrix_cells.py quick|full")
    for cell in cells:
        print("\t".join(cell[n] for n in NAMES))


if __name__ == "__main__":
    main()
