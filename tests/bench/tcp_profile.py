# SPDX-License-Identifier: GPL-2.0-or-later
"""The profile "TCP State", and the same of TCP's own fields to compare with: as many columns, as many colour rules."""

import re
import shutil
from pathlib import Path

NAME = "TCP State"
OWN = Path(__file__).resolve().parents[2] / "plugin" / "profile"

# In this order: what is named in the profile's files, and the field of TCP, or the number, in its place. No segment of
# the captures has such numbers, so all rules are asked of it.
_OF_TCP = (
    (r"tcpstate\.(?:local|remote)\.duration", "tcp.time_relative"),
    (r"tcpstate\.(?:src|local)\b", "tcp.srcport"),
    (r"tcpstate\.(?:dst|remote)\b", "tcp.dstport"),
    (r"tcpstate\.transition", "tcp.flags.fin == 1"),
    (r"\btcpstate\b", "tcp"),
    (r"(?<= == )[A-Z][A-Z_0-9]+|(?<=\{)[A-Z][A-Z_0-9]+(?=,)|(?<=, )[A-Z][A-Z_0-9]+(?=\})", "65535"),
)


def make(folder):
    """Write the profile of TCP's own fields; return its folder."""
    shutil.copytree(OWN, folder)
    for path in folder.iterdir():
        text = path.read_text()
        for named, of_tcp in _OF_TCP:
            text = re.sub(named, of_tcp, text)
        path.write_text(text)
    return folder
