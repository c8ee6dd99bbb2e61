#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tcpstate-split and tcpstate-merge on this machine alone: the parts show what the whole shows; wrong input is refused.

The hosts are in hosts.py. TCPSTATE_SPLIT names the built tcpstate-split.
"""

import gzip
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "bench")]

import captures  # noqa: E402
from together import together  # noqa: E402
from tshark import Tshark, run_tool  # noqa: E402

PROJECT = HERE.parent.parent
SPLIT = os.environ.get("TCPSTATE_SPLIT", "tcpstate-split")
MERGE = PROJECT / "plugin/tools/tcpstate-merge"
TIME_LIMIT_S = 120
SHOWN = [f"tcpstate.{end}{what}" for end in ("client", "server") for what in ("", ".final")] + [
    f"tcpstate.{end}{what}" for end in ("local", "remote")
    for what in ("", ".previous", ".event", ".entered", ".left", ".dwell", ".duration", ".confirmed")]
SHOWN += ["tcpstate.local.by", "tcpstate.closed_by", "tcpstate.midstream", "tcpstate.left_open"]
LATE = r".*: \d+ fragments that did not come behind their first one are in all parts\n"
SINCE = ["tcpstate.local.since", "tcpstate.remote.since"]


def run(*words, **how):
    """Run one of the programs; return what came of it."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=TIME_LIMIT_S,
                          env=environment, **how)


def numbers_of(part):
    """The frame numbers of the whole, by those of the part less 1."""
    octets = part.with_suffix(".frames").read_bytes()
    return struct.unpack(f"<{len(octets) // 8}Q", octets)


class Case(unittest.TestCase):
    """A folder for the length of each test, and a tshark for all."""
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        self.folder.chmod(0o755)
        self.made = itertools.count()

    def split(self, capture, number, status=0, said=""):
        """Split a capture into a new folder; return the paths of the parts."""
        folder = self.folder / f"parts-{next(self.made)}"
        done = run(SPLIT, number, capture, folder)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, rf"\A{said}\Z")
        return sorted(folder.glob("*.pcapng"))

    def printed(self, capture, *views):
        """What tshark prints of a capture."""
        options = [word for view in views for word in ("-z", view)]
        return self.tshark.run(["-q", *options], capture).stdout

    def merged(self, parts, *views, said=""):
        """What is merged of what tshark prints of the parts."""
        for part in parts:
            part.with_suffix(".out").write_text(self.printed(part, *views))
        done = run(MERGE, parts[0].parent)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, rf"\A{said}\Z")
        return done.stdout


class SameAsTheWhole(Case):
    """What is shown of the parts' frames."""

    def rows(self, capture):
        """The fields of each frame, by its number."""
        rows = self.tshark.fields(capture, ["frame.number", *SINCE, *SHOWN], ["-2"])
        return {int(row[0]): row[1:] for row in rows}

    def check_frames(self, whole, parts, segments):
        """Each frame is in one part, and shows there what it shows in the whole."""
        wanted, shown = self.rows(whole), {}
        for part in parts:
            numbers = numbers_of(part)
            self.assertEqual((numbers.count(0), numbers[-1]), (2, 0), "the markers")
            rows = self.rows(part)
            self.assertEqual(len(rows), len(numbers))
            for frame, row in rows.items():
                since = [",".join(str(numbers[int(text) - 1]) for text in cell.split(",") if text)
                         for cell in row[:len(SINCE)]]
                row = [*since, *row[len(SINCE):]]
                before = shown.get(numbers[frame - 1])
                if numbers[frame - 1] and any(row):
                    self.assertFalse(before and any(before), f"frame {numbers[frame - 1]} has a state in two parts")
                    shown[numbers[frame - 1]] = row
                elif numbers[frame - 1]:
                    shown.setdefault(numbers[frame - 1], row)
                else:
                    self.assertFalse(any(row), f"a marker has a state: {row}")
        self.assertEqual(shown.keys(), wanted.keys())
        self.assertGreaterEqual(sum(map(any, wanted.values())), segments)
        for frame, row in wanted.items():
            self.assertEqual(shown[frame], list(row), f"frame {frame}")

    def check_views(self, whole, parts, *views):
        """What is merged is what is printed of the whole."""
        wanted, made = self.printed(whole, *views), self.merged(parts, *views)
        self.assertGreater(len(wanted), 500)
        self.assertEqual(made.splitlines(), wanted.splitlines())
        self.assertEqual(made, wanted)

    def test_bundled_captures(self):
        """All link types, tunnels, fragments and ICMP errors that are bundled, one after the other."""
        bundled = [*(path for path in (PROJECT / "test-captures").glob("**/*.pcap") if path.parent.name != "stacks"),
                   *(PROJECT / "tests/field/cases").glob("*.pcap")]
        whole = together(sorted(bundled), self.folder / "whole.pcapng")
        parts = self.split(whole, 5, said=r".*: the 11 frames of link type \"IEEE 802.11 Wireless LAN\" are all in "
                                          r"part 0: it is not looked into\n" + LATE)
        self.check_frames(whole, parts, 2500)
        self.check_views(whole, parts, "tcpstate,json", "tcpstate,timeline", "tcpstate,timeline,10")

    def test_generated_captures(self):
        """Many connections at once, over IPv4 and IPv6, a scan, and downloads that had begun before."""
        for kind in ("interleaved", "ipv6", "scan", "midstream"):
            with self.subTest(kind):
                whole = self.folder / f"{kind}.pcap"
                captures.write(kind, 4000, whole)
                parts = self.split(whole, 3)
                self.check_frames(whole, parts, 4000)
                self.check_views(whole, parts, "tcpstate,json", "tcpstate,timeline")

    def test_one_view(self):
        """Either view alone; a filter, by which connections without any row in the table are left out."""
        whole = PROJECT / "test-captures/odd/busy-server.pcap"
        parts = self.split(whole, 3)
        for view in ("tcpstate,json", "tcpstate,timeline,0.5", "tcpstate,timeline,tcp.port==8080"):
            with self.subTest(view):
                self.check_views(whole, parts, view)

    def test_ports_reused(self):
        """Streams that Wireshark begins amid a connection count too: any segments in turn, of a few numbers."""
        random.seed(9293)
        flags = (captures.SYN, captures.SYN | captures.ACK, captures.ACK, captures.FIN | captures.ACK, captures.RST)
        frames = []
        for n in range(2000):
            client, server, port = "10.9.0.1", "10.9.0.2", 40000 + random.randrange(60)
            end = captures.End(client, server, port, 5000) if random.random() < 0.6 else captures.End(
                server, client, 5000, port)
            octets = end.frame(random.randrange(1, 4), random.randrange(1, 4), random.choice(flags))
            frames.append(struct.pack("<IIII", 1767225600 + n, 0, len(octets), len(octets)) + octets)
        whole = self.folder / "whole.pcap"
        whole.write_bytes(captures.HEADER + b"".join(frames))
        parts = self.split(whole, 4)
        self.check_views(whole, parts, "tcpstate,json", "tcpstate,timeline")
        told = [json.loads(line) for line in self.printed(whole, "tcpstate,json").splitlines()]
        self.assertGreater(sum(len(shown["later_streams"]) for shown in told), 100)
        self.assertGreater(sum(not shown["later_streams"] for shown in told), 50)  # fewer since 4.4
        self.merged(parts, "tcpstate,json,tcp.srcport==40007",
                    said=r"tcpstate-merge: \d+ TCP streams have no connection here, as with a filter: .*\n")

    def test_fragments_out_of_order(self):
        """In a pcap, which tells of no interfaces."""
        whole = PROJECT / "test-captures/odd/ip-fragments.pcap"
        parts = self.split(whole, 3, said=LATE)
        self.check_frames(whole, parts, 5)
        self.check_views(whole, parts, "tcpstate,json", "tcpstate,timeline")

    def test_ends_that_others_tell(self):
        """What comes before the first segment and after the last one, in one part only, and other packets: the times of
        the whole are those of its segments."""
        def frame(sport, seconds, protocol=6, start=0, end=28):
            """A SYN, or the octets from start up to end of it as a fragment."""
            octets = bytearray(captures.End("10.9.0.1", "10.9.0.2", sport, 5000).frame(1, 0, captures.SYN))
            place = start // 8 | (0x2000 if end < 28 else 0)
            octets[16:18], octets[20:22] = struct.pack("!H", 20 + end - start), struct.pack("!H", place)
            octets[23] = protocol
            octets[34:] = octets[34 + start:34 + end]
            return struct.pack("<IIII", 1767225600 + seconds, 0, len(octets), len(octets)) + octets
        whole = self.folder / "whole.pcap"
        whole.write_bytes(captures.HEADER + b"".join([
            frame(1, 0, protocol=17), *(frame(40000 + n, 10 + n) for n in range(8)),
            frame(50000, 200, end=24), frame(50000, 201, start=24), frame(1, 500, protocol=17)]))
        parts = self.split(whole, 4)
        self.check_frames(whole, parts, 9)
        self.check_views(whole, parts, "tcpstate,json", "tcpstate,timeline")

    def test_every_number_of_parts(self):
        captures.write("interleaved", 4000, self.folder / "whole.pcap")
        for number in (1, 2, 1024):
            with self.subTest(number):
                numbers = [numbers_of(part) for part in self.split(self.folder / "whole.pcap", number)]
                self.assertEqual(len(numbers), number)
                self.assertEqual(sorted(frame for some in numbers for frame in some[1:-1]), list(range(1, 4001)))
                self.assertTrue(all(list(some[1:-1]) == sorted(some[1:-1]) for some in numbers))
                if number == 2:
                    self.assertLess(1200, len(numbers[0]), "the parts do not balance")
                    self.assertLess(1200, len(numbers[1]), "the parts do not balance")


class Input(Case):
    """What the programs read, and what they refuse."""

    def setUp(self):
        super().setUp()
        self.whole = self.folder / "whole.pcap"
        captures.write("short", 1000, self.whole)

    def octets(self, capture, **how):
        """The octets of all files that splitting the capture makes."""
        done = run(SPLIT, 3, capture, self.folder / "parts", **how)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        made = [path.read_bytes() for path in sorted((self.folder / "parts").iterdir())]
        self.assertEqual(len(made), 6)
        shutil.rmtree(self.folder / "parts")
        return made

    def test_formats(self):
        wanted = self.octets(self.whole)
        packed = self.folder / "whole.pcap.gz"
        packed.write_bytes(gzip.compress(self.whole.read_bytes()))
        self.assertEqual(self.octets(packed), wanted)
        with self.whole.open("rb") as file:
            self.assertEqual(self.octets("-", stdin=file), wanted)
        for kind in ("nsecpcap", "pcapng", "snoop"):
            with self.subTest(kind):
                other = self.folder / "other"
                run_tool("editcap", "-F", kind, self.whole, other)
                made = self.octets(other)
                self.assertEqual(made[::2], wanted[::2], "the frame numbers")

    def test_sections(self):
        """A pcapng of two sections, as cat makes them: each counts its interfaces anew."""
        other, both = self.folder / "other.pcapng", self.folder / "both.pcapng"
        run_tool("editcap", "-F", "pcapng", self.whole, other)
        raw = self.folder / "raw.pcapng"
        run_tool("editcap", "-F", "pcapng", PROJECT / "test-captures/odd/raw-ip.pcap", raw)
        both.write_bytes(other.read_bytes() + raw.read_bytes())
        parts = self.split(both, 2)
        linked = [self.tshark.fields(part, ["frame.protocols"]) for part in parts]
        self.assertEqual({row[0].partition(":")[0] for rows in linked for row in rows[1:-1]}, {"eth", "raw"})

    def refused(self, *words, said, status=1, **how):
        """The program says why, and leaves nothing behind."""
        before = sorted(self.folder.iterdir())
        done = run(*words, **how)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, said)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_words(self):
        parts = self.folder / "parts"
        for number in ("0", "1025", "-1", "+1", "", "2x", "0x2", "99999999999999999999"):
            self.refused(SPLIT, number, self.whole, parts, said="not a number of parts, 1 to 1024")
        self.refused(SPLIT, said="usage: ")
        self.refused(SPLIT, 3, self.whole, said="usage: ")
        self.refused(SPLIT, 3, self.folder / "none.pcap", parts, said="none.pcap: No such file")
        self.refused(SPLIT, 3, self.whole, self.folder / "no/such", said="No such file")
        self.refused(SPLIT, 3, self.whole, self.folder, said="File exists")
        self.refused(SPLIT, 3, PROJECT / "README.md", parts, said="README.md: ")

    def test_damage(self):
        """What could be read before is split; status 2 tells."""
        self.whole.write_bytes(self.whole.read_bytes()[:-10])
        parts = self.split(self.whole, 2, 2, ".*whole.pcap: after frame 999: .*\n")
        numbers = [numbers_of(part) for part in parts]
        self.assertEqual(sorted(frame for some in numbers for frame in some[1:-1]), list(range(1, 1000)))
        self.assertEqual(self.tshark.fields(parts[0], ["frame.interface_name"])[-1], ["tcpstate-split"])

    def test_hostile(self):
        """Captures with octets at random: parts or none, and a message."""
        random.seed(9293)
        damaged, parts = self.folder / "damaged", self.folder / "parts"
        sources = [(PROJECT / f"test-captures/odd/{name}.pcap").read_bytes()
                   for name in ("gre", "icmp-quote", "ip-fragments", "over-ipv6", "vlan")]
        for _ in range(100):
            octets = bytearray(random.choice(sources))
            for _ in range(random.choice((1, 5, 50))):
                octets[random.randrange(len(captures.HEADER), len(octets))] = random.randrange(256)
            damaged.write_bytes(octets)
            done = run(SPLIT, 3, damaged, parts)
            self.assertIn(done.returncode, (0, 1, 2), done.stderr)
            self.assertNotIn("nternal", done.stderr)
            self.assertEqual(parts.exists(), done.returncode != 1)
            shutil.rmtree(parts, ignore_errors=True)
            self.assertEqual(sorted(self.folder.iterdir()), [damaged, self.whole])

    def test_empty(self):
        self.whole.write_bytes(captures.HEADER)
        for part in self.split(self.whole, 2):
            self.assertEqual(self.tshark.fields(part, ["frame.number"]), [])

    def test_outputs_of_other_parts(self):
        """tcpstate-merge refuses what cannot be of its parts."""
        parts = self.split(self.whole, 2)
        folder = parts[0].parent
        shown = [self.printed(part, "tcpstate,json") for part in parts]
        table = [self.printed(part, "tcpstate,timeline") for part in parts]

        def check(first, second, said):
            for part, text in zip(parts, (first, second)):
                part.with_suffix(".out").unlink(missing_ok=True)
                if text is not None:
                    part.with_suffix(".out").write_text(text)
            self.refused(MERGE, folder, said=said)
        check(shown[0], None, "part-0001.out: missing")
        check(shown[0], shown[1][:-20], "part-0001.out: cut short")
        for frame in "9999", "1":
            check(shown[0], re.sub(r'"last_frame":\d+', f'"last_frame":{frame}', shown[1]),
                  rf"part-0001.out: tells of frame {frame}\b")
        check(shown[0], "tshark: error\n", "part-0001.out: neither JSON nor a timeline: tshark: error")
        check(table[0], shown[1], "not all parts have the same timelines")
        check(table[0], self.printed(parts[1], "tcpstate,timeline,7"), "the timelines differ")
        self.refused(MERGE, self.folder / "none", said="no parts of a capture")
        self.refused(MERGE, said="usage: ")

    def test_no_room(self):
        """Files may not grow beyond 10,000 octets: as on a full disk."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
        self.refused(SPLIT, 2, self.whole, self.folder / "parts", said="File too large", preexec_fn=limit)

    def test_too_few_files(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        self.refused(SPLIT, 60, self.whole, self.folder / "parts", said="Too many open files", preexec_fn=limit)


if __name__ == "__main__":
    unittest.main()
