#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What users type: the names, types and values of every field, in filters and with -T fields."""

import re
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from tables import STATES  # noqa: E402
from tshark import Tshark  # noqa: E402

CAPTURES = HERE.parent.parent / "test-captures"
CLOSE = CAPTURES / "client-closes-first.pcap"
FIGURE_12 = CAPTURES / "figure-12.pcap"
FIGURE_13 = CAPTURES / "figure-13.pcap"
MIDSTREAM = CAPTURES / "odd" / "half-open-midstream.pcap"

ROLES = ("local", "remote", "client", "server", "src", "dst")
ENDS = ("local", "remote")

FIELDS = {
    **{f"tcpstate.{role}": "FT_UINT8" for role in ROLES},
    **{f"tcpstate.{role}.str": "FT_STRING" for role in ROLES},
    **{f"tcpstate.{end}.{what}": "FT_UINT8" for end in ENDS
       for what in ("previous", "entered", "left", "event")},
    **{f"tcpstate.{end}.confirmed": "FT_BOOLEAN" for end in ENDS},
    **{f"tcpstate.{end}.since": "FT_FRAMENUM" for end in ENDS},
    **{f"tcpstate.{end}.{what}": "FT_RELATIVE_TIME" for end in ENDS
       for what in ("duration", "dwell")},
    "tcpstate.closed_by": "FT_UINT8",
    "tcpstate.local.by": "FT_UINT8",
    "tcpstate.transition": "FT_BOOLEAN",
    "tcpstate.midstream": "FT_BOOLEAN",
}


class Filters(unittest.TestCase):
    """Figures 12 and 13, a recorded close, and a capture without a handshake."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.opened = {}  # capture to the sharkd that has it open

    def frames(self, capture, expression):
        """The numbers of the frames that a display filter lets through."""
        if capture not in self.opened:
            self.opened[capture] = self.tshark.sharkd(capture)
        return self.opened[capture].frames(expression)

    def close_wait_frames(self, capture):
        """By TCP's fields alone: from the client's FIN to the frame before the server's."""
        rows = self.tshark.fields(capture, ["frame.number", "tcp.dstport", "tcp.flags.fin"])
        fins = [(int(number), port) for number, port, fin in rows if fin in ("1", "True")]
        first = next(number for number, port in fins if port == "5000")
        second = next(number for number, port in fins if port != "5000")
        return list(range(first, second))

    def test_fields_are_registered(self):
        lines = self.tshark.run(["-G", "fields"]).stdout.splitlines()
        found = {part[2]: part for line in lines if (part := line.split("\t"))[0] == "F"
                 and part[2].startswith("tcpstate.")}
        self.assertLessEqual(set(FIELDS), set(found))
        for name, part in found.items():
            if name in FIELDS:
                self.assertEqual(part[3], FIELDS[name], name)
            if name.startswith("tcpstate.expert."):  # Wireshark gives these no blurb
                self.assertRegex(part[1], r"^[A-Z].* .*[^.]$", f"{name}: a summary is a phrase")
                continue
            blurb = part[7] if len(part) > 7 else ""
            self.assertRegex(blurb, r"^[A-Z].* .*\.$", f"{name}: a blurb is a full sentence")

    def test_states_have_names_and_numbers(self):
        lines = self.tshark.run(["-G", "values"]).stdout.splitlines()
        for role in ROLES:
            names = [(int(part[2], 0), part[3]) for line in lines
                     if (part := line.split("\t"))[:2] == ["V", f"tcpstate.{role}"]]
            self.assertEqual(names[:len(STATES)], list(enumerate(STATES)), role)
            # Then the spelling of RFC 9293, for filters.
            self.assertEqual([name for _, name in names[len(STATES):]],
                             ["SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "LAST-ACK",
                              "TIME-WAIT"])
            self.assertEqual([STATES[number] for number, _ in names[len(STATES):]],
                             ["SYN_SENT", "SYN_RCVD", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "LAST_ACK",
                              "TIME_WAIT"])

    def test_close_wait(self):
        for capture in (CLOSE, FIGURE_12):
            expected = self.close_wait_frames(capture)
            for value in ("CLOSE_WAIT", '"CLOSE_WAIT"', "7", "CLOSE-WAIT", '"CLOSE-WAIT"'):
                with self.subTest(capture=capture.name, value=value):
                    self.assertEqual(self.frames(capture, f"tcpstate.remote=={value}"), expected)
                    self.assertEqual(self.frames(capture, f"tcpstate.server == {value}"), expected)
                    self.assertEqual(self.frames(capture, f"tcpstate.local == {value}"), [])
        self.assertEqual(self.close_wait_frames(FIGURE_12), [4, 5])

    def test_names_where_numbers_would_print(self):
        rows = self.tshark.fields(FIGURE_12, [f"tcpstate.{role}.str" for role in ROLES])
        self.assertEqual(rows[4], ["FIN_WAIT_2", "CLOSE_WAIT"] * 2 + ["CLOSE_WAIT", "FIN_WAIT_2"])
        rows = self.tshark.fields(FIGURE_12, [f"tcpstate.{role}" for role in ROLES])
        self.assertEqual(rows[4], ["6", "7", "6", "7", "7", "6"])

    def test_closed_by(self):
        """On the last frame; who it was is in the captures' own description."""
        for name, closer in (("client-closes-first", 1), ("server-closes-first", 2),
                             ("simultaneous-close", 3), ("client-aborts", 4), ("server-aborts", 5),
                             ("refused", 6), ("abort-in-close-wait", 1)):
            rows = self.tshark.fields(CLOSE.with_name(f"{name}.pcap"), ["tcpstate.closed_by"])
            self.assertEqual(rows[-1], [str(closer)], name)

    def test_headline_as_a_field(self):
        rows = self.tshark.fields(FIGURE_12, ["tcpstate"])
        self.assertEqual(rows[3], ["TCP State: 10.9.0.1:40000 ESTABLISHED → FIN_WAIT_1, "
                                   "10.9.0.2:5000 ESTABLISHED → CLOSE_WAIT"])

    def test_expressions(self):
        for expression, expected in (
                ("tcpstate", list(range(1, 8))),
                ("tcpstate.local.str == TIME_WAIT", [6, 7]),
                ('tcpstate.remote.str contains "WAIT"', [4, 5]),
                ("tcpstate.remote.entered == CLOSE_WAIT", [4]),
                ('tcpstate.remote.event == "rcv FIN"', [4]),
                ('tcpstate.local.event == "rcv ACK of FIN"', [5]),
                ("tcpstate.remote.since == 4", [4, 5]),
                ("tcpstate.remote.duration > 0 and tcpstate.remote == CLOSE_WAIT", [5]),
                ("tcpstate.remote.left == CLOSE_WAIT and tcpstate.remote.dwell > 0", [6]),
                ('tcpstate.closed_by == "client"', [4, 5, 6, 7]),
                ("tcpstate.remote.left == CLOSE_WAIT", [6]),
                ("tcpstate.remote.previous == CLOSE_WAIT", [5, 6]),
                ("tcpstate.local.entered == FIN_WAIT_1", [4]),
                ("tcpstate.local.left == FIN_WAIT_1", [5]),
                ("tcpstate.local.previous == LISTEN", []),
                ("tcpstate.remote.previous == LISTEN", [1]),
                ("tcpstate.local.previous == CLOSED", [1]),
                ("tcpstate.src == LAST_ACK", [6]),
                ("tcpstate.dst == CLOSE_WAIT", [4]),
                ("tcpstate.client == FIN_WAIT_1", [4]),
                ("tcpstate.local.confirmed == 1", [1, 3, 4, 7]),
                ("tcpstate.remote.confirmed == 0", [1, 3, 4, 7]),
                ("tcpstate.transition", list(range(1, 8))),
                ("tcpstate.local in {FIN_WAIT_1, FIN_WAIT_2}", [4, 5]),
                ("tcpstate.local >= FIN_WAIT_1", [4, 5, 6, 7]),
                ("tcpstate.local.by", list(range(1, 8))),
                ("tcpstate.midstream", [])):
            with self.subTest(expression=expression):
                self.assertEqual(self.frames(FIGURE_12, expression), expected)
        self.assertEqual(self.frames(FIGURE_13, "tcpstate.local == CLOSING"), [5, 6])
        self.assertEqual(self.frames(MIDSTREAM, "tcpstate.midstream"), [1, 2])

    def test_fields_for_every_row(self):
        """Each field has a value where it must have one, and none elsewhere."""
        rows = self.tshark.fields(FIGURE_12, sorted(FIELDS))
        optional = re.compile(
            r"entered|left|event|dwell|since|duration|closed_by|transition|midstream")
        for row in rows:
            for name, value in zip(sorted(FIELDS), row, strict=True):
                if not optional.search(name):
                    self.assertTrue(value, name)

    def test_an_unknown_name_is_refused(self):
        self.tshark.run(["-Y", "tcpstate.local == NO_SUCH_STATE"], FIGURE_12,
                        expect_stderr=".*NO_SUCH_STATE.*", refuses=True)


if __name__ == "__main__":
    unittest.main()
