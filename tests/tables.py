# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of the plugin's names."""

import re
from pathlib import Path
from typing import NamedTuple

_MACHINE = Path(__file__).resolve().parent.parent / "plugin" / "machine"


class Anomaly(NamedTuple):
    """A row of tcp_anomalies.def: an expert item."""
    severity: str   # as Wireshark's constants end: CHAT, NOTE, WARN
    summary: str


_ROWS = re.findall(r'^TCP_ANOMALY\( *\d+, *\w+, *"(\w+)", *(\w+), *"(.*)"\)$',
                   (_MACHINE / "tcp_anomalies.def").read_text(encoding="utf-8"), re.M)

# By the word that its field, tcpstate.expert.WORD, ends with; of those that share one the first, the proved one.
ANOMALIES = {word: Anomaly(severity, summary) for word, severity, summary in reversed(_ROWS)}

# What each says.
SUMMARIES = [summary for _, _, summary in _ROWS]

# By number.
EVENTS = {int(number): name for number, name in re.findall(
    r'^TCP_EVENT\( *(\d+), *\w+, *"([^"]*)"', (_MACHINE / "tcp_events.def").read_text(encoding="utf-8"), re.M)}



def _texts(file, macro):
    """The texts of a table's rows by number; None for 0, which is none of them."""
    rows = re.findall(rf'^{macro}\( *(\d+), *\w+, *"([^"]+)"', (_MACHINE / file).read_text(encoding="utf-8"), re.M)
    return {0: None} | {int(number): text for number, text in rows}


RESET_CAUSES = _texts("reset_causes.def", "RESET_CAUSE")
ATTEMPTS = _texts("attempts.def", "ATTEMPT")

# Of a state's number its name, as TCPSTATE has them. Not read from the plugin: users type these.
STATES = ("CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2",
          "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")

# What tcpstate.closed_by must say, by its number; 0 is not shown. Not read from the plugin: users type these.
CLOSERS = ("-", "client", "server", "simultaneous", "reset by client", "reset by server", "refused", "refused by ICMP")
