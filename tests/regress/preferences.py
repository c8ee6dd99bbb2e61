#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every preference: good values act, bad ones are reported by name and never crash."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from tshark import Tshark  # noqa: E402

ODD = HERE.parent.parent / "test-captures" / "odd"
V4, V6, COOKED = ODD / "whole.pcap", ODD / "over-ipv6.pcap", ODD / "cooked-at-server.pcap"
EXPIRES = ODD / "time-wait-expires.pcap"
DEFAULTS = {"local_endpoint": "auto", "time_wait": 240}
ENDS = ("client", "server", "src", "dst")


class Preferences(unittest.TestCase):
    """The client of the captures is 10.9.0.1 or fd00:9::1, the server .2 or ::2."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.sharkd = cls.tshark.sharkd()

    def rows(self, capture, names, **preferences):
        """Fields of all frames under preferences, local_networks apart: sharkd tells the plugin of none."""
        for name in DEFAULTS:
            self.sharkd.set(f"tcpstate.{name}", preferences.pop(name, DEFAULTS[name]))
        self.assertEqual(preferences, {})
        self.sharkd.load(capture)
        return self.sharkd.rows([f"tcpstate.{name}" for name in names])

    def local(self, capture, **preferences):
        """Which of client, server, src is what local shows on every frame of a capture."""
        return self.fitting(self.rows(capture, ["local", *ENDS], **preferences))

    def tshark_rows(self, capture, names, message=None, **preferences):
        """Fields of all frames under preferences on tshark's command line; message: what it says, a pattern."""
        options = [word for name, value in preferences.items() for word in ("-o", f"tcpstate.{name}:{value}")]
        wanted = [word for name in names for word in ("-e", f"tcpstate.{name}")]
        out = self.tshark.run(["-T", "fields", *wanted, *options], capture, expect_stderr=message).stdout
        return [line.split("\t") for line in out.splitlines()]

    def tshark_local(self, capture, message=None, **preferences):
        """The same as local(), of tshark_rows()."""
        return self.fitting(self.tshark_rows(capture, ["local", *ENDS], message, **preferences))

    def fitting(self, rows):
        """The names of ENDS whose state is that of local in all rows.

        On whole connections no two of them show the same throughout.
        """
        self.assertEqual(len(rows), 11)
        return [name for n, name in enumerate(ENDS, 1) if all(row[0] == row[n] for row in rows)]

    def test_local_endpoint(self):
        self.assertEqual(self.local(V4), ["client"])
        self.assertEqual(self.local(V4, local_endpoint="auto"), ["client"])
        self.assertEqual(self.local(V4, local_endpoint="client"), ["client"])
        self.assertEqual(self.local(V4, local_endpoint="server"), ["server"])
        self.assertEqual(self.local(V4, local_endpoint="sender"), ["src"])
        self.assertEqual(self.local(COOKED), ["server"])
        self.assertEqual(self.local(COOKED, local_endpoint="client"), ["client"])

    def test_an_unknown_local_endpoint_changes_nothing(self):
        """Wireshark itself judges the words of a choice: some series are silent about one."""
        self.assertEqual(self.tshark_local(V4, "(.*elsewhere.*)?", local_endpoint="elsewhere"), ["client"])

    def test_local_networks(self):
        for networks, capture, expected in (
                ("", V4, "client"),
                ("10.9.0.2", V4, "server"),
                ("10.9.0.1", V4, "client"),
                ("10.9.0.2/32", V4, "server"),
                ("10.9.0.2/31", V4, "server"),          # .2 and .3
                ("10.9.0.0/31", V4, "client"),          # .0 and .1
                ("10.9.0.0/24", V4, "client"),          # both ends: the initiator
                ("0.0.0.0/0", V4, "client"),
                ("192.0.2.0/24,10.9.0.2", V4, "server"),
                (" 192.0.2.0/24 ,  10.9.0.2 ", V4, "server"),
                ("fd00:9::2,192.0.2.1", V4, "client"),
                ("fd00:9::2", V6, "server"),
                ("fd00:9::2/128", V6, "server"),
                ("fd00:9::2/127", V6, "server"),
                ("fd00:9::/64", V6, "client"),
                ("FD00:9:0:0:0:0:0:2", V6, "server"),
                ("10.9.0.2, fd00:9::2/127", V6, "server"),
                ("10.9.0.1", COOKED, "client")):
            with self.subTest(networks=networks, capture=capture.stem):
                self.assertEqual(self.tshark_local(capture, local_networks=networks), [expected])

    def test_the_first_rule_that_answers_decides(self):
        both = {"local_networks": "10.9.0.2"}
        reasons = [{row[0] for row in self.tshark_rows(capture, ["local.by"], **preferences)}
                   for capture, preferences in ((V4, both | {"local_endpoint": "client"}), (V4, both), (COOKED, {}),
                                                (V4, {}))]
        for reason in reasons:
            self.assertEqual(len(reason), 1)
        self.assertEqual(len(set.union(*reasons)), 4, "each rule has a value of its own")
        self.assertEqual(self.tshark_local(V4, local_endpoint="client", **both), ["client"])

    def test_bad_networks_are_named_and_the_others_hold(self):
        """Before and behind a good one."""
        every = ("10.9.0.256", "10.9.0.0/33", "fd00:9::/129", "10.9.0.1/", "10.9.0.1/-1",
                 "10.9.0.1/x", "10.9.0.1/8/8", "10.9", "nonsense", "fd00:9::1::2", "/24",
                 "10.9.0.1 10.9.0.2", "1.2.3.4/99999999999999999999", "x" * 3000)
        for bad in every:
            with self.subTest(bad=bad[:40]):
                message = f".*{_literally(bad[:40])}.*"
                self.assertEqual(self.tshark_local(V4, message, local_networks=f"{bad},10.9.0.2, {bad}"),
                                 ["server"])
        message = ".*" + ".*".join(_literally(bad[:40]) for bad in every) + ".*"
        self.assertEqual(self.tshark_local(V4, message, local_networks=",".join(every)), ["client"])

    def closed_by_timeout(self, **preferences):
        """The frames of time-wait-expires, but for the last, which show the client CLOSED."""
        rows = self.rows(EXPIRES, ["client.str"], **preferences)
        return [n for n, (state,) in enumerate(rows[:11], 1) if state == "CLOSED"]

    def test_time_wait(self):
        # TIME_WAIT from 0.5 s on; frames 8, 10 and 11 repeat a FIN 100, 200 and 250 s later.
        self.assertEqual(self.closed_by_timeout(), [11])
        self.assertEqual(self.closed_by_timeout(time_wait=240), [11])
        self.assertEqual(self.closed_by_timeout(time_wait=260), [])
        self.assertEqual(self.closed_by_timeout(time_wait=120), [10, 11])
        self.assertIn(8, self.closed_by_timeout(time_wait=60))

    def test_extreme_time_wait(self):
        """No overflow; what is no number of seconds is refused with a message that names it."""
        self.assertEqual(self.closed_by_timeout(time_wait=4294967295), [])
        self.assertEqual(self.closed_by_timeout(time_wait=2147483648), [])
        self.assertIn(8, self.closed_by_timeout(time_wait=0))
        for bad in ("soon", "", "-1", "1.5", "4294967296", "99999999999999999999"):
            with self.subTest(bad=bad):
                self.tshark.run(["-o", f"tcpstate.time_wait:{bad}"], EXPIRES,
                                expect_stderr=f".*tcpstate.time_wait.*{_literally(bad)}.*",
                                refuses=True)

    def test_unknown_preference(self):
        self.tshark.run(["-o", "tcpstate.no_such_preference:1"], V4,
                        expect_stderr=".*no_such_preference.*unknown.*", refuses=True)


def _literally(text):
    return "".join(f"[{c}]" if not c.isalnum() and c != "^" else c for c in text)


if __name__ == "__main__":
    unittest.main()
