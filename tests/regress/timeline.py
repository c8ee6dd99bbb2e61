#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z tcpstate,timeline: every count, reckoned again from the transitions that -z tcpstate,json prints."""

import json
import re
import sys
import tempfile
import unittest
from collections import Counter
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent.parent / "test-captures"
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE), str(CAPTURES)]

import leaks  # noqa: E402
import packets  # noqa: E402
from incarnations import ROLES, STATES, TIME_WAIT_S  # noqa: E402
from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402

COMMAND = "tcpstate,timeline"
SEEN = STATES[2:]   # neither CLOSED nor LISTEN
MOST = 10000        # samples
BUSY = CAPTURES / "odd/busy-server.pcap"
MANY = [CAPTURES / f"{name}.pcap" for name in (
    "odd/busy-server", "odd/time-wait-expires", "odd/half-open-midstream", "time-wait-reuse", "figure-09",
    "simultaneous-close", "ipv6", "refused", "midstream")]


def endpoint(end):
    text = "[{}]:{}" if ":" in end["address"] else "{}:{}"
    return text.format(end["address"], end["port"])


def round_interval(length):
    """The least of 1, 2 or 5 times a power of ten, from a millisecond on, that makes at most twenty steps."""
    return next(step * Decimal(10) ** power for power in range(-3, 20) for step in (1, 2, 5)
                if length // (step * Decimal(10) ** power) < 20)


def state_at(role, shown, moment, ended, time_wait):
    """The state of an end of a connection at a moment; None: it has none that counts."""
    if moment < shown["first_time"] or (ended is not None and moment >= ended):
        return None
    steps = [step for step in shown["transitions"] if step["end"] == role]
    # What the end was in before its first transition: of an end without any, what it is in.
    state, since = steps[0]["from"] if steps else shown[role]["state"], shown["first_time"]
    for step in steps:
        if step["time"] <= moment:
            state, since = step["to"], step["time"]
    if state == "TIME_WAIT" and moment >= since + time_wait:
        return None
    return state if state in SEEN else None


class Timeline(unittest.TestCase):
    """Several bundled captures in one file, one by itself, and captures made here."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        cls.many = together(MANY[:3], cls.folder / "many.pcapng")

    def connections(self, capture, behind="", options=()):
        out = self.tshark.run([*options, "-q", "-z", "tcpstate,json" + behind], capture).stdout
        return [json.loads(line, parse_float=Decimal) for line in out.splitlines()]

    def table(self, capture, behind="", options=()):
        """The interval in seconds, and by (seconds from the start, server, role): counts by state."""
        lines = self.tshark.run([*options, "-q", "-z", COMMAND + behind], capture).stdout.splitlines()
        interval = Decimal(re.fullmatch(r"Ends of TCP connections by state, every (\S+) s", lines[0])[1])
        self.assertEqual(lines[1].split(), ["Time", "(s)", "Server", "Ends", *SEEN])
        found = {}
        for line in lines[2:]:
            self.assertEqual(len(line), len(lines[1]), line)
            at, server, role, *counts = line.split()
            self.assertNotIn((Decimal(at), server, role), found)
            found[Decimal(at), server, role] = {state: int(count) for state, count in zip(SEEN, counts)
                                                if int(count)}
        self.assertNotIn({}, found.values(), "a row of zeros")
        order = [(server, at, role) for at, server, role in found]
        self.assertEqual(order, sorted(order))
        return interval, found

    @staticmethod
    def bounds(connections):
        """When the first and the last TCP segment were captured."""
        return connections[0]["first_time"], max(connections, key=lambda shown: shown["last_frame"])["last_time"]

    def check(self, capture, interval="", expression="", options=(), time_wait=TIME_WAIT_S):
        behind = (f",{interval}" if interval else "") + (f",{expression}" if expression else "")
        every = self.connections(capture, options=options)
        begin, end = self.bounds(every)
        ended = {}      # by number of a connection: when the next one of its sockets began
        for number, shown in enumerate(every):
            pair = {endpoint(shown[role]) for role in ROLES}
            ended[shown["connection"]] = next((later["first_time"] for later in every[number + 1:]
                                               if {endpoint(later[role]) for role in ROLES} == pair), None)
        chosen = self.connections(capture, f",{expression}", options) if expression else every
        every_s = Decimal(interval) if interval else round_interval(max(Decimal(0), end - begin))
        expected = {}
        for n in range(int(max(Decimal(0), end - begin) // every_s) + 1):
            for shown in chosen:
                for role in ROLES:
                    state = state_at(role, shown, begin + n * every_s, ended[shown["connection"]], time_wait)
                    if state:
                        expected.setdefault((n * every_s, endpoint(shown["server"]), role), Counter())[state] += 1
        got_interval, got = self.table(capture, behind, options)
        self.assertEqual(got_interval, every_s)
        self.assertEqual(got, expected)
        return got

    def test_without_an_interval(self):
        for capture in (self.many, *MANY[3:]):
            with self.subTest(capture=capture.name):
                self.assertTrue(self.check(capture))

    def test_intervals(self):
        """Those at which states change as well as others; longer than the capture."""
        for interval in ("0.1", "7", "1e1", "82.9", "1000000000"):
            with self.subTest(interval=interval):
                self.check(BUSY, interval)
        self.check(CAPTURES / "figure-12.pcap", "0.033333")

    def test_filters_choose_connections(self):
        for interval, expression in (("", "tcp.port == 8080"), ("10", "tcp.flags.fin == 1 and tcp.port == 40001"),
                                     ("5", "tcpstate.left_open")):
            with self.subTest(filter=expression):
                options = ["-2"] if "left_open" in expression else []
                shown = self.check(BUSY, interval, expression, options)
                self.assertTrue(shown)
                self.assertNotEqual(shown, self.table(BUSY, f",{interval}" if interval else "")[1])
        self.assertEqual(self.table(BUSY, ",udp")[1], {})

    def test_time_wait_runs_out(self):
        ends = set()
        for time_wait in (0, 1, 60, 240):
            options = ["-o", f"tcpstate.time_wait:{time_wait}"]
            shown = self.check(BUSY, "1", "", options, time_wait)
            ends.add(max((at for (at, *_), counts in shown.items() if "TIME_WAIT" in counts), default=None))
        self.assertEqual(len(ends), 4)

    def test_counted_from_the_first_tcp_segment(self):
        """Not from the first frame; the last sample is the latest that the capture reaches."""
        syn = packets.ip(packets.CLIENT4, packets.SERVER4, packets.TCP,
                         packets.tcp(packets.CLIENT4, packets.SERVER4, 40000, 5000, 1, 0, ("SYN",)))
        other = packets.ip(packets.CLIENT4, packets.SERVER4, 17, bytes([0, 1, 0, 2, 0, 8, 0, 0]))
        for last_us, samples in ((7_999_999, 5), (8_000_000, 6)):
            capture = self.folder / f"{last_us}.pcap"
            capture.write_bytes(packets.pcap(packets.RAW_IP, [(0, other, None), (3_000_000, syn, None),
                                                              (last_us, syn, None), (20_000_000, other, None)]))
            _, shown = self.table(capture, ",1")
            self.assertEqual(sorted({at for at, *_ in shown}), list(range(samples)))
            self.assertEqual(shown[0, "10.9.0.2:5000", "client"], {"SYN_SENT": 1})
            self.check(capture, "1")

    def test_where_time_runs_backwards(self):
        """One sample, of what is so at the end."""
        _, shown = self.table(CAPTURES / "odd/time-runs-backwards.pcap")
        self.assertEqual(shown, {(0, "10.9.0.2:5000", "client"): {"TIME_WAIT": 1}})

    def test_a_silent_leak(self):
        made = leaks.make()
        capture = self.folder / "leak.pcap"
        capture.write_bytes(made.octets)
        _, shown = self.table(capture, ",100")
        begin = Decimal(leaks.EPOCH_S)
        for at in range(0, int(made.end - leaks.EPOCH_S), 100):
            silent = sum(Decimal(str(round(leak.time, 6))) <= begin + at for leak in made.leaks)
            counts = shown.get((at, leaks.LEAKING, "server"), {})
            # Besides those that leak, whoever is about to close.
            self.assertGreaterEqual(counts.get("CLOSE_WAIT", 0), silent)
            self.assertLessEqual(counts.get("CLOSE_WAIT", 0), silent + 1)
        self.assertEqual(counts, {"CLOSE_WAIT": leaks.LEAKS})

    def test_many_servers(self):
        """As many samples as there may be, of as many servers as a scan meets: bounded memory."""
        count, length_us = 3000, 9_999_000_000
        frames = []
        for n in range(count):
            server = f"10.20.{n >> 8}.{n & 255}"
            frames.append((n, packets.ip(packets.CLIENT4, server, packets.TCP, packets.tcp(
                packets.CLIENT4, server, 40000, 80, 1, 0, ("RST",))), None))
        frames.append((length_us, frames[-1][1], None))
        capture = self.folder / "scan.pcap"
        capture.write_bytes(packets.pcap(packets.RAW_IP, frames))
        path = str(self.tshark.readable(capture))
        limit_kib = 1 << 20
        process = self.tshark.start(["sh", "-c", f"ulimit -d {limit_kib}; exec \"$@\"", "sh", self.tshark.program,
                                     "-r", path, "-q", "-z", f"{COMMAND},1"], stdout=-1, stderr=-1)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertTrue(out.startswith(b"Ends of TCP connections by state, every 1 s\n"))

    def test_bad_intervals(self):
        """A message each, and no table."""
        must = r"tshark: .*the interval must be from 0\.000001 to 1000000000 seconds\n"
        for interval in ("0", "-1", "1e-7", "1e10", "nan", "inf", "1e999"):
            with self.subTest(interval=interval):
                done = self.tshark.run(["-q", "-z", f"{COMMAND},{interval}"], BUSY, refuses=True, expect_stderr=must)
                self.assertEqual(done.stdout, "")
        for wrong in ("1s", "1,2", "1,no.such.field", "ten", ",", "1;2"):
            with self.subTest(argument=wrong):
                done = self.tshark.run(["-q", "-z", f"{COMMAND},{wrong}"], BUSY, refuses=True,
                                       expect_stderr=r"tshark: Couldn't register tcpstate,timeline tap: .+\n")
                self.assertEqual(done.stdout, "")
        self.tshark.run(["-q", "-z", f"{COMMAND}x"], BUSY, refuses=True, expect_stderr=r"tshark: .+\n")

    def test_too_many_samples(self):
        begin, end = self.bounds(self.connections(BUSY))
        least = (end - begin) / MOST
        done = self.tshark.run(["-q", "-z", f"{COMMAND},{least * Decimal('0.99'):.6f}"], BUSY, expect_stderr=(
            r"tshark: tcpstate,timeline: an interval of \S+ s makes \d+ samples of this capture, more than 10000\n"))
        self.assertEqual(done.stdout, "")
        _, shown = self.table(BUSY, f",{least * Decimal('1.01'):.6f}")
        self.assertGreater(len({at for at, *_ in shown}), MOST * 0.9)


if __name__ == "__main__":
    unittest.main()
