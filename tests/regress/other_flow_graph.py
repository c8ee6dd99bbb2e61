#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z flow,tcpstate where the running Wireshark's flow graphs are not as the plugin knows them: a message, no graph.

    other_flow_graph.py LIBRARY...    each stands in for a part of Wireshark's own
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tshark import Failure, Tshark  # noqa: E402 (needs the path)

CAPTURE = Path(__file__).resolve().parents[2] / "test-captures/client-closes-first.pcap"
LADDER = "tcpstate,ladder"
TOLD = (r"tshark: TCP State: this Wireshark's flow graphs are not as the plugin knows them; "
        r"there is none of type \"TCP State\"\.\n")


def rows(library, told):
    """The lines of a flow graph with a transition, with a library loaded before Wireshark's own."""
    with Tshark() as tshark:
        if library:
            to = tshark.private_folder("other")
            copy = Path(shutil.copy(library, to))
            to.chmod(0o755)
            copy.chmod(0o755)
            tshark.preload(copy)
        said = tshark.run(["-q", "-z", "flow,tcpstate,standard", "-z", LADDER], CAPTURE, expect_stderr=told).stdout
    if "TCP State: ladder" not in said:
        raise Failure(f"with {library} there is no ladder:\n{said}")
    return [line for line in said.splitlines() if "FIN_WAIT_1 |" in line]


def test():
    libraries = sys.argv[1:]
    if not libraries:
        sys.exit(__doc__)
    if not rows(None, None):
        raise Failure("no flow graph, though Wireshark's is as the plugin knows it")
    for library in libraries:
        if found := rows(library, TOLD):
            raise Failure(f"with {library} there is a graph:\n" + "\n".join(found))


if __name__ == "__main__":
    test()
