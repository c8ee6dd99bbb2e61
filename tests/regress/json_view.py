#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z tcpstate,json: valid by its schema, and equal to what the fields say of each segment; hostile captures."""

import itertools
import json
import re
import resource
import struct
import sys
import tempfile
import unittest
from collections import Counter
from decimal import Decimal
from pathlib import Path

import jsonschema

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CAPTURES = PROJECT / "test-captures"
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE.parent / "fuzz"), str(CAPTURES)]

import hostile  # noqa: E402
import leaks  # noqa: E402
import packets  # noqa: E402
from incarnations import CLIENT, ROLES, SERVER, connections_of, segments_of  # noqa: E402
from tables import ANOMALIES  # noqa: E402
from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402

COMMAND = "tcpstate,json"
SCHEMA = json.loads((PROJECT / "plugin/views/connection.schema.json").read_text(encoding="utf-8"))
LOCAL_BY = ("preference local_endpoint", "preference local_networks", "direction in the capture", "initiator",
            "higher port", "first sender")
# Of Zeek, by its documentation of conn.log.
ZEEK = {"client-closes-first": ("SF", "ShADadFf"), "refused": ("REJ", "Sr"),
        "client-aborts": ("RSTO", "ShADadR"), "odd/busy-server": ("S2", "ShADdFa")}
TWICE = 3  # what twice the input may take of the time: linear 2, quadratic 4


def expected(connection, end):
    """The object of a connection, but for what Zeek says; expert: a Counter."""
    last = connection.segments[-1]
    finals = connection.finals(end)

    def of(role):
        endpoint = connection.endpoint(role)
        shown, final = last.ends[endpoint], finals[role]
        sent = [segment.length for segment in connection.segments if segment.src == endpoint]
        return {"address": endpoint.address, "port": endpoint.port, "state": shown.state,
                "confirmed": shown.confirmed, "since_frame": shown.since or None, "final": final.state,
                "final_confirmed": final.confirmed, "final_age": final.age, "left_open": final.left_open,
                "segments": len(sent), "bytes": sum(sent)}
    return {
        "connection": connection.number, "stream": connection.segments[0].stream,
        "later_streams": [{"stream": segment.stream, "frame": segment.frame} for before, segment in
                          itertools.pairwise(connection.segments) if segment.stream > before.stream],
        "client": of(CLIENT), "server": of(SERVER), "local_by": LOCAL_BY[last.local_by], "midstream": last.midstream,
        "first_frame": connection.segments[0].frame, "last_frame": last.frame,
        "first_time": connection.segments[0].time, "last_time": last.time,
        "closed_by": None if connection.closed_by == "-" else connection.closed_by,
        "reset_cause": connection.reset and connection.reset.reset_cause,
        "reset_cause_confirmed": bool(connection.reset and connection.reset.reset_confirmed),
        "attempt": last.attempt, "left_open": any(final.left_open for final in finals),
        "transitions": [{"frame": segment.frame, "time": segment.time, "end": ROLES[role], "from": step.left,
                         "to": step.entered, "event": step.event,
                         "confirmed": segment.ends[connection.endpoint(role)].confirmed}
                        for segment, role, step in connection.steps()],
        "expert": Counter((segment.frame, *item) for segment in connection.segments for item in segment.expert)}


def pcapng(tsoffset_s, records):
    """The bytes of a pcapng of raw IP whose time stamps count from another moment than 1970.

    records: (microseconds from there, packet).
    """
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))
    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
           block(1, struct.pack("<HHIHHqI", packets.RAW_IP, 0, 0, 14, 8, tsoffset_s, 0))]
    for time_us, packet in records:
        out.append(block(6, struct.pack("<IIIII", 0, time_us >> 32, time_us & 0xFFFFFFFF, len(packet),
                                        len(packet)) + packet))
    return b"".join(out)


class Json(unittest.TestCase):
    """All bundled captures in one file, and hostile ones made here."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        cls.validator = jsonschema.Draft202012Validator(SCHEMA)

    def written(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets)
        return path

    def lines(self, capture, behind="", arguments=(), **how):
        return self.tshark.run([*arguments, "-q", "-z", COMMAND + behind], capture, **how).stdout.splitlines()

    def objects(self, capture, behind="", arguments=(), **how):
        """The connections of a capture; fails unless each line is valid, and says no member twice."""
        def members(pairs):
            self.assertEqual(len(pairs), len(dict(pairs)), pairs)
            return dict(pairs)
        found = []
        for line in self.lines(capture, behind, arguments, **how):
            for error in self.validator.iter_errors(json.loads(line)):
                self.fail(f"{error.json_path}: {error.message}\n{line}")
            found.append(json.loads(line, parse_float=Decimal, object_pairs_hook=members))
        return found

    def check(self, objects, capture):
        segments = segments_of(self.tshark, capture)
        connections = connections_of(segments)
        self.assertEqual(len(objects), len(connections))
        for shown, connection in zip(objects, connections):
            wanted = expected(connection, segments[-1].time)
            local = connection.segments[-1].local
            if local:
                self.assertEqual(shown["local"], ROLES[connection.role(local)])
            shown = {name: value for name, value in shown.items() if name in wanted}
            shown["expert"] = Counter((item["frame"], item["item"], item["severity"]) for item in shown["expert"])
            self.assertEqual(shown, wanted, [str(end) for end in connection.segments[0].ends])

    def test_every_connection(self):
        captures = sorted([*CAPTURES.glob("*.pcap"), *(CAPTURES / "odd").glob("*.pcap"),
                           *(CAPTURES / "programs").glob("*-client.pcap")])
        capture = together(captures, self.folder / "all.pcapng")
        objects = self.objects(capture)
        self.assertGreater(len(objects), len(captures))
        self.check(objects, capture)
        self.assertEqual(self.objects(capture, arguments=["-2"]), objects)
        # Nothing that the test has no example of.
        told = {item["item"] for shown in objects for item in shown["expert"]}
        self.assertEqual(told ^ set(ANOMALIES), {"reset_in_between"})    # which no ordinary capture raises
        self.assertTrue(any(shown["later_streams"] for shown in objects))
        self.assertEqual({item["severity"] for shown in objects for item in shown["expert"]},
                         {"chat", "note", "warning"})

    def test_one_capture_by_itself(self):
        """Ages of less than those between captures."""
        for name in ("client-closes-first", "midstream", "odd/busy-server", "odd/time-runs-backwards",
                     "odd/time-wait-expires", "odd/a-msdu"):
            with self.subTest(capture=name):
                capture = CAPTURES / f"{name}.pcap"
                self.check(self.objects(capture), capture)

    def test_zeek(self):
        for name, wanted in ZEEK.items():
            shown = self.objects(CAPTURES / f"{name}.pcap")[0]
            self.assertEqual((shown["conn_state"], shown["history"]), wanted, name)

    def test_the_schema_says_what_each_member_is(self):
        """A full sentence for each, no member beside them, none that may be absent."""
        def objects(schema):
            if isinstance(schema, dict):
                if schema.get("type") == "object":
                    yield schema
                for part in schema.values():
                    yield from objects(part)
        found = list(objects(SCHEMA))
        self.assertEqual(len(found), 5)
        for schema in found:
            self.assertIs(schema["additionalProperties"], False)
            self.assertEqual(schema["required"], list(schema["properties"]))
            for name, member in schema["properties"].items():
                self.assertRegex(member["description"], r"^[A-Z].*\.$", name)

    def test_the_schema_refuses(self):
        """What is not so."""
        shown = json.loads(self.lines(CAPTURES / "client-closes-first.pcap")[0])
        self.assertTrue(self.validator.is_valid(shown))
        for change in ({"more": 1}, {"closed_by": "nobody"}, {"connection": 0}, {"first_time": "1"},
                       {"client": {}}, {"client": shown["client"] | {"state": "OPEN"}},
                       {"transitions": [{}]}, {"expert": [{"frame": 1}]}):
            self.assertFalse(self.validator.is_valid(shown | change), change)
        del shown["stream"]
        self.assertFalse(self.validator.is_valid(shown))

    def test_a_filter_chooses_connections(self):
        """Each is told whole, by the number that it has without a filter."""
        capture = CAPTURES / "odd/busy-server.pcap"
        every = self.objects(capture)
        for expression, arguments, keep in (
                ("tcp.flags.fin == 1 and tcp.port == 40001", [], lambda shown: shown["client"]["port"] == 40001),
                ("tcpstate.left_open", ["-2"], lambda shown: shown["left_open"]),
                ("tcpstate.server.final == CLOSE_WAIT", ["-2"], lambda shown: shown["server"]["final"] == "CLOSE_WAIT"),
                ("udp", [], lambda shown: False)):
            with self.subTest(filter=expression):
                self.assertEqual(self.objects(capture, "," + expression, arguments),
                                 [shown for shown in every if keep(shown)])

    def test_bad_arguments(self):
        for argument in ("json,no.such.field", "json,tcp.port ==", "jsonx"):
            self.tshark.run(["-q", "-z", f"tcpstate,{argument}"], CAPTURES / "refused.pcap", refuses=True,
                            expect_stderr=r"tshark: .*tcpstate,json tap: .+\n")

    def test_a_silent_leak(self):
        """Be the capture whole or begun later; what is proved is so in the whole one."""
        for begin_s in 0, 150:
            made = leaks.make(begin_s)
            objects = self.objects(self.written(f"leak-{begin_s}.pcap", made.octets))
            left = [(f"{shown['client']['address']}:{shown['client']['port']}", shown["server"]["since_frame"],
                     shown["server"]["final"]) for shown in objects if shown["left_open"]]
            self.assertEqual(sorted(left), sorted((leak.client, leak.frame, "CLOSE_WAIT") for leak in made.leaks))
            self.assertEqual(len(objects), sum(made.connections.values()))
            if begin_s == 0:
                self.assertTrue(all(shown["server"]["confirmed"] for shown in objects if shown["left_open"]))

    # ------------------------------------------------------------------ hostile

    def test_names_cannot_inject(self):
        """Addresses are printed as numbers, whatever name someone gives them."""
        hosts = self.written("hosts", b'10.9.0.1 evil","left_open":true,"x":"\n10.9.0.2 \\\\"}{\n')
        capture = CAPTURES / "client-closes-first.pcap"
        plain = self.objects(capture)
        arguments = ["-N", "nN", "-H", str(self.tshark.readable(hosts))]
        self.assertIn("evil", self.tshark.run(arguments, capture).stdout)
        self.assertEqual(self.objects(capture, arguments=arguments), plain)

    def test_many_octets(self):
        """More than 32 bits count, of segments of which little was captured."""
        size, count = 65535 - 40, 66000

        def packet(seq):
            header = packets.tcp(packets.CLIENT4, packets.SERVER4, 40000, 5000, seq, 1, ("ACK",))
            return struct.pack("!BBHHHBBH", 0x45, 0, 65535, 0, 0x4000, 64, packets.TCP, 0) + bytes(
                (10, 9, 0, 1, 10, 9, 0, 2)) + header
        out = [packets.pcap(packets.RAW_IP, [])]
        for n in range(count):
            octets = packet(1 + n * size)
            out.append(struct.pack("<IIII", 1767225600, n, len(octets), 65535) + octets)
        shown, = self.objects(self.written("octets.pcap", b"".join(out)), limit_s=240)
        self.assertEqual((shown["client"]["segments"], shown["client"]["bytes"]), (count, count * size))
        self.assertGreater(count * size, 2**32)

    def test_before_1970(self):
        """Times are negative then; a connection may last across."""
        def packet(flags, seq, ack, from_client):
            src, dst, sport, dport = ((packets.CLIENT4, packets.SERVER4, 40000, 5000) if from_client else
                                      (packets.SERVER4, packets.CLIENT4, 5000, 40000))
            return packets.ip(src, dst, packets.TCP, packets.tcp(src, dst, sport, dport, seq, ack, flags))
        times_us = (500_000, 600_001, 5_000_000_700_000)
        capture = self.written("1811.pcapng", pcapng(-5_000_000_000, list(zip(times_us, (
            packet(("SYN",), 1, 0, True), packet(("SYN", "ACK"), 9, 2, False), packet(("ACK",), 2, 10, True))))))
        shown, = self.objects(capture)
        self.assertEqual([shown["first_time"], *(step["time"] for step in shown["transitions"]), shown["last_time"]],
                         [Decimal(time_us) / 1000000 - 5_000_000_000 for time_us in (
                             times_us[0], times_us[0], times_us[0], times_us[1], times_us[2], times_us[2])])
        self.assertEqual(shown["client"]["final_age"], Decimal("5000000.099999"))
        self.assertIn('"first_time":-4999999999.500000000,', self.lines(capture)[0])

    def test_far_times(self):
        """Beyond what 64 bits of nanoseconds hold."""
        syn = packets.ip(packets.CLIENT4, packets.SERVER4, packets.TCP,
                         packets.tcp(packets.CLIENT4, packets.SERVER4, 40000, 5000, 1, 0, ("SYN",)))
        for name, offset_s in (("past", -2**62), ("future", 2**62)):
            shown, = self.objects(self.written(f"{name}.pcapng", pcapng(offset_s, [(0, syn), (1, syn)])),
                                  expect_stderr=".*")
            self.assertEqual(shown["client"]["segments"], 2, name)

    def test_many_incarnations(self):
        """Of one pair of sockets: 10,000 take no more than their number, in time and in lines."""
        spent = {}
        for count in 5000, 10000:
            capture = self.folder / f"{count}.pcap"
            hostile.write("streams", count, capture)
            self.tshark.readable(capture)
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            lines = self.lines(capture, limit_s=240)
            spent[count] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
            self.assertEqual(len(lines), count)
        self.assertLess(spent[10000], TWICE * spent[5000])
        first, last = json.loads(lines[1]), json.loads(lines[-1])
        self.assertEqual((last["connection"], last["first_frame"], last["last_frame"]), (10000, 39997, 40000))
        for shown in first, last:  # each has only its own
            self.assertEqual([step["frame"] - shown["first_frame"] for step in shown["transitions"]],
                             [0, 0, 1, 2, 3, 3])
        self.assertEqual(re.sub(r"\d+", "", lines[1]), re.sub(r"\d+", "", lines[-1]))


if __name__ == "__main__":
    unittest.main()
