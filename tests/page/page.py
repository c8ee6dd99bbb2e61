#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z tcpstate,page in a real browser: Debian's Chromium. Each step is what -z tcpstate,ladder prints, each connection
what -z tcpstate,json does; by keyboard alone; without a request; with hostile captures.

Where Chromium, its driver or python3-selenium is missing, all is skipped: exit status 77.
"""

import json
import re
import sys
import unittest

sys.dont_write_bytecode = True

import browser as chromium  # noqa: E402
from pages import BUSY, CAPTURES, CLOSE, LOST, Pages  # noqa: E402

import lesson_pages  # noqa: E402
import packets  # noqa: E402
from together import together  # noqa: E402

ALL = sorted([*CAPTURES.glob("*.pcap"), *(CAPTURES / "odd").glob("*.pcap")])
ROW = re.compile(r"([A-Z_0-9]+\??) +(-->|<--) (<\S+?) +(-->|<--) ([A-Z_0-9]+\??)$")
FRAME = re.compile(r"frames? [\d, to]+, [\d.-]+(?: to [\d.-]+)? s")
CANNOT_TELL = "The capture cannot tell"

# What the player and the table show of each step, stepping as a reader does.
WALK = """
const [number] = arguments, seen = [];
showConnection(connectionOf.get(number), 0);
const text = (selector) => document.querySelector(selector).textContent;
for (let n = 0; n < player.steps.length; n++) {
  const row = document.querySelector('#ladder tr[aria-current=step]');
  const words = (cell) => [...cell.querySelectorAll('.event, .passed')].map((one) => one.textContent).join(' ');
  seen.push({
    client: text('#client-end .state'), server: text('#server-end .state'), status: text('#status'),
    boxes: [...document.querySelectorAll('.figure [data-now]')].map((box) => box.dataset.state),
    frame: row.cells[1].textContent, states: [2, 4].map((n) => row.cells[n].querySelector('.state-text').textContent),
    segment: (row.cells[3].querySelector('code') || row.cells[3]).textContent,
    arrow: (row.cells[3].querySelector('.arrow-text') || {textContent: ''}).textContent,
    since: ROLES.map((role) => (text(`#${role}-end .why p`).match(/, frame (\\d+), /) || [0, ''])[1]),
    why: words(row.cells[2]) + ' ' + words(row.cells[4]), wire: text('#wire') });
  document.getElementById('forward').click();
}
return seen;
"""


def ladder_steps(text):
    """What -z tcpstate,ladder prints, by number of connection: [[frame, states, arrow, segment, words above], ...]."""
    steps = {}
    for block in re.split(r"^Connection ", text, flags=re.M)[1:]:
        lines = [line for line in block.splitlines() if not line.startswith("why: ")]
        mine = steps.setdefault(int(re.match(r"\d+", block)[0]), [])
        above = []
        for line in lines[4 if not lines[2].startswith(" ") else 5:]:
            row = ROW.match(line)
            if row:
                frame = FRAME.search(" ".join(above))[0]
                words = sorted(" ".join(above).replace(frame, " ").split())
                mine.append([frame, [row[1], row[5]], row[2], row[3], words])
                above = []
            elif line.strip().startswith("…"):
                mine.append([FRAME.search(" ".join(above))[0].replace(" to ", " s to ", 2).replace(" s to ", " to ", 1),
                             None, "", line.strip(), []])
                above = []
            elif line.strip().startswith("<"):
                mine[-1][3] += line.strip()
            else:
                above.append(line)
    return steps


def frames_of(ends, script, port=50000):
    """The frames of two ends; script: (index of the sender, seq, ack, flags)."""
    for sender, seq, ack, flags in script:
        src, dst = ends[sender], ends[not sender]
        ports = (port, 60000) if sender == 0 else (60000, port)
        yield packets.ethernet(packets.ip(src, dst, packets.TCP, packets.tcp(src, dst, *ports, seq, ack, flags)))


HANDSHAKE = [(0, 100, 0, ("SYN",)), (1, 300, 101, ("SYN", "ACK")), (0, 101, 301, ("ACK",))]


class Page(Pages):
    """What the page shows, and does."""

    def text_of(self, element):
        return self.browser.js("return document.getElementById(arguments[0]).textContent", element)

    # ---------------------------------------------------------------- what it shows

    def test_each_step_is_the_ladders(self):
        """All captures, and one that the project does not have: the states, the segment, why, and figure 5."""
        everything = together(ALL, self.folder / "all.pcapng")
        ladders = ladder_steps(self.tshark.run(["-q", "-z", "tcpstate,ladder"], everything).stdout)
        self.assertGreater(len(ladders), len(ALL))
        since = {number: ends for number, *ends in self.tshark.fields(
            everything, ["frame.number", "tcpstate.client.since", "tcpstate.server.since"])}
        self.browser.open(self.page(everything))
        self.assertEqual(len(ladders), self.browser.js("return data.ladders.length"))
        for number, expected in ladders.items():
            seen = self.browser.js(WALK, number)[1:]
            with self.subTest(connection=number):
                self.assertEqual(len(expected), len(seen))
                for step, (frame, states, arrow, segment, why) in zip(seen, expected):
                    self.assertEqual(segment, step["segment"])
                    if states is None:
                        continue
                    self.assertEqual([frame, states, arrow, why],
                                     [step["frame"], step["states"], step["arrow"], sorted(step["why"].split())])
                    when = since[re.match(r"frame ([\d,]+)", frame)[1].strip(",")]
                    if not any("," in number for number in when):    # two segments in one frame
                        self.assertEqual(when, step["since"], frame)
                    names = [state.rstrip("?") for state in states]
                    self.assertEqual(names, step["boxes"])
                    for role, state in zip(("client", "server"), states):
                        proof = "? assumed" if state.endswith("?") else "✓ proved"
                        self.assertEqual(f"{state.rstrip('?')} {proof}", step[role])
                        self.assertIn(f"{role.capitalize()} {state.rstrip('?')}, {proof[2:]}.", step["status"])
                    self.assertIn(segment, step["wire"])
        self.assertEqual([], self.browser.complaints())

    def test_connections_are_those_of_json(self):
        everything = together(ALL, self.folder / "json.pcapng")
        printed = self.tshark.run(["-q", "-z", "tcpstate,json"], everything).stdout
        expected = {line["connection"]: line for line in map(json.loads, printed.splitlines())}
        self.browser.open(self.page(everything))
        embedded = self.browser.js("return data.connections.map(({listed, ...own}) => own)")
        self.assertEqual(expected, {one["connection"]: one for one in embedded})
        left_open = [one["left_open"] for one in embedded]
        self.assertEqual(sorted(left_open, reverse=True), left_open)

    def test_the_plot_is_the_timeline(self):
        self.browser.open(self.page(BUSY))
        interval, timelines = self.browser.js("return [data.interval, data.timelines]")
        printed = self.tshark.run(["-q", "-z", f"tcpstate,timeline,{interval}"], BUSY).stdout.splitlines()
        heads = printed[1].split()[4:]
        shown = {(f"{n * interval:.6f}", one["server"], role): counts for one in timelines[1:]
                 for n, sample in enumerate(one["samples"]) for role, counts in sample.items() if counts}
        expected = {}
        for line in printed[2:]:
            time, server, role, *counts = line.split()
            expected[time, server, role] = {state: int(count) for state, count in zip(heads, counts) if int(count)}
        self.assertEqual(expected, shown)
        self.browser.js("document.querySelector('#plot-section details').open = true")
        self.assertIn("CLOSE_WAIT", self.text_of("samples"))

    def test_links(self):
        """To a connection and a step, from outside, within the page, and back in the address."""
        self.browser.open(self.page(BUSY), "#c=3&s=7")
        self.assertEqual([3, 7], self.browser.js("return [player.connection.connection, player.at]"))
        self.browser.js("document.querySelector('#list a[href=\"#c=6\"]').click()")
        self.assertEqual([6, 0], self.browser.driver.execute_async_script(
            "setTimeout(arguments[0], 100, [player.connection.connection, player.at])") and
            self.browser.js("return [player.connection.connection, player.at]"))
        self.browser.js("document.getElementById('forward').click()")
        self.assertEqual("#c=6&s=1", self.browser.driver.execute_async_script(
            "const done = arguments[0]; setTimeout(() => done(location.hash), 500)"))
        for nonsense in ("#c=99&s=1", "#c=1&s=99", "#c=%3Cscript%3E", "#s=2"):
            self.browser.open(self.page(BUSY), nonsense)
            self.assertEqual(1, self.browser.js("return player.connection.connection"))
            self.assertEqual([], self.browser.complaints())

    def test_a_correction_is_shown_and_replayed(self):
        self.browser.open(self.page(LOST), "#c=1&s=9")
        self.assertIn("what was assumed was not so (step 8: CLOSED)", self.text_of("server-end"))
        self.assertIn("RFC 9293 section 3.8.1", self.text_of("server-end"))
        self.assertEqual(["LAST_ACK CLOSED"], self.browser.js(
            "return [...document.querySelectorAll('.figure.server .undone')].map((arc) => arc.dataset.arc)"))
        self.browser.js("document.getElementById('speed').value = '2'; document.querySelector('.replay').click()")
        self.assertEqual(7, self.browser.js("return player.at"))
        self.assertEqual(10, self.browser.driver.execute_async_script(
            "const done = arguments[0], wait = () => player.timer ? setTimeout(wait, 50) : done(player.at); wait()"))

    def test_all_corrections_are_shown(self):
        """Each that the diagram draws, on the step that proves it, where an end passes through other states too."""
        for capture in (CAPTURES / f"{name}.pcap" for name in (
                "lost-last-ack", "simultaneous-close", "figure-13", "lost-final-ack")):
            drawn = self.tshark.run(["-q", "-z", "tcpstate,diagram"], capture).stdout
            expected = drawn.count("assumed in error, as ")
            self.assertGreater(expected, 0)
            self.browser.open(self.page(capture))
            self.assertEqual(expected, self.browser.js("""
                let wrong = 0;
                for (let n = 0; n < player.steps.length; n++) {
                  goTo(n);
                  for (const role of ROLES) {
                    const all = player.connection.transitions;
                    const isNow = player.steps[n].transitions.some((one) => all[one].end === role);
                    wrong += isNow ? document.querySelectorAll(`#${role}-end .correction a`).length : 0;
                  }
                }
                return wrong"""), capture.name)

    def test_list_sorts_and_filters(self):
        self.browser.open(self.page(BUSY))
        numbers = "return [...document.querySelectorAll('#list tbody tr')].map((row) => Number(row.dataset.connection))"
        self.assertEqual([1, 2, 3, 6, 7, 8, 9, 4, 5], self.browser.js(numbers))
        self.browser.js("document.querySelector('#list .sort').click()")
        self.assertEqual(list(range(1, 10)), self.browser.js(numbers))
        self.assertEqual("ascending", self.browser.js("return document.querySelector('#list th').ariaSort"))
        self.browser.js("document.querySelector('#list .sort').click()")
        self.assertEqual(list(range(9, 0, -1)), self.browser.js(numbers))
        self.browser.js("const f = document.getElementById('filter'); f.value = 'close_wait 40001'; "
                        "f.dispatchEvent(new Event('input'))")
        self.assertEqual([2], self.browser.js(numbers))
        self.assertEqual("1 connection chosen", self.text_of("list-count"))

    def test_a_filter_chooses_connections(self):
        self.browser.open(self.page(BUSY, "tcpstate.server==CLOSE_WAIT and tcp.port==40001"))
        self.assertEqual([2], self.browser.js("return data.connections.map((c) => c.connection)"))
        self.browser.open(self.page(BUSY, "tcp.port==9"))
        self.assertIn("0 TCP connections", self.text_of("about"))
        self.assertEqual([], self.browser.complaints())

    # ---------------------------------------------------------------- the quiz

    def right_answer(self, form, connection):
        """What the data say, told apart from how the page tells it."""
        kind, at, role = form["kind"], int(form["step"]), form["role"]
        if kind == "state":
            shown = self.browser.js("return data.ladders[0].rows[arguments[0]][arguments[1]]", at - 1, role)
            return CANNOT_TELL if shown.endswith("?") else shown
        if kind == "closer":
            closers = {"client": "The client", "server": "The server", "simultaneous": "Both at once",
                       None: "Nobody, as far as the capture goes"}
            return closers.get(connection["closed_by"], "Nobody: it was reset or refused")
        if kind == "leak":
            for end in ("client", "server"):
                if connection[end]["final"] == "CLOSE_WAIT":
                    proved = connection[end]["left_open"] and connection[end]["final_confirmed"]
                    return f"The {end}" if proved else CANNOT_TELL    # for a while, it is no leak
            return "Neither"
        if kind == "loss":
            return "the acknowledgement of a FIN"
        return self.browser.js("return data.ladders[0].rows[arguments[0]].segment", at)

    def test_quiz(self):
        kinds = set()
        for capture in (LOST, CAPTURES / "refused.pcap", CAPTURES / "close-wait-left-open.pcap",
                        CAPTURES / "odd/close-wait-leak.pcap", CAPTURES / "simultaneous-close.pcap"):
            self.browser.open(self.page(capture))
            connection = self.browser.js("return data.connections[0]")
            self.browser.js("document.querySelector('#quiz button').click()")
            questions = self.browser.js("return quiz.questions.length")
            for count in range(1, questions + 1):
                form = self.browser.js("return {...document.querySelector('#quiz form').dataset}")
                kinds.add(form["kind"])
                answer = self.right_answer({"role": None, **form}, connection)
                with self.subTest(capture=capture.name, form=form):
                    verdict = self.browser.js("""
                        const form = document.querySelector('#quiz form');
                        const option = [...form.elements.answer].find((one) => one.value === arguments[0]);
                        option.checked = true; form.requestSubmit();
                        return document.querySelector('.verdict').textContent""", answer)
                    self.assertTrue(verdict.startswith("✓ Right."), verdict)
                    self.assertIn(f"{count} of {count} right", verdict)
                self.browser.js("[...document.querySelectorAll('#quiz form button')].pop().click()")
        self.assertEqual({"state", "closer", "leak", "loss", "order"}, kinds)
        wrong = self.browser.js("""
            const form = document.querySelector('#quiz form'), right = quiz.questions[quiz.at].answer;
            [...form.elements.answer].find((one) => one.value !== right).checked = true; form.requestSubmit();
            return document.querySelector('.verdict').textContent""")
        self.assertTrue(wrong.startswith("✗ No:"), wrong)
        self.assertEqual(["", 0], self.browser.js("return [document.cookie, localStorage.length]"))

    def test_lesson(self):
        """Each stop's captures are pages with its questions and answers; their links lead from one to the other."""
        folder = self.folder / "lesson"
        folder.mkdir()
        paths = lesson_pages.write(folder, lambda capture: self.page(capture).read_text())
        self.assertEqual(list("12345567888"), [path.name[0] for path in paths])
        for path in paths:
            self.assertEqual([path.as_uri()], self.browser.open(path))
            asked, answered, links = self.browser.js("""
                const count = (selector) => document.querySelectorAll(`main > section:first-child ${selector}`).length;
                return [count('> ol > li'), count('details li'), count('nav a')]""")
            self.assertEqual(asked, answered)
            self.assertGreaterEqual(asked, 3)
            self.assertEqual(len(paths), links)
            self.assertEqual([], self.browser.complaints())

    # ---------------------------------------------------------------- for everyone

    def focused(self):
        return self.browser.js("const e = document.activeElement; return e.id || e.textContent")

    def test_by_keyboard_alone(self):
        self.browser.open(self.page(CLOSE))
        last = self.browser.js("return player.steps.length - 1")
        self.browser.keys("ArrowRight", "End")
        self.assertEqual(0, self.browser.js("return player.at"), "keys step without the focus")
        for _ in range(60):
            self.browser.keys("Tab")
            if self.focused() == "player":
                break
        self.assertEqual("player", self.focused())
        self.assertNotEqual("none", self.browser.js("return getComputedStyle(document.activeElement).outlineStyle"))
        # The player takes the keys that it uses, so that the page does not scroll as well; all others it leaves.
        self.browser.js("window.taken = []; window.addEventListener('keydown', "
                        "(event) => window.taken.push([event.key, event.defaultPrevented]))")
        own = ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "End", "Home", " ", " ")
        self.browser.keys(*own, "PageDown")
        self.assertEqual([*([key, True] for key in own), ["PageDown", False]], self.browser.js("return window.taken"))
        self.assertEqual(0, self.browser.js("return player.at"))
        for key, at in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last), ("ArrowRight", last),
                        ("Home", 0), ("ArrowLeft", 0)):
            self.browser.keys(key)
            self.assertEqual(at, self.browser.js("return player.at"), key)
            self.assertIn(f"Step {at} of {last}", self.text_of("status"))
        self.browser.keys(" ")
        self.assertTrue(self.browser.js("return player.timer !== null"))
        self.browser.keys(" ")
        self.assertTrue(self.browser.js("return player.timer === null"))
        reached = []
        for _ in range(80):
            self.browser.keys("Tab")
            reached.append(self.focused())
        for control in ("first", "back", "play", "forward", "last", "speed", "scrubber", "filter", "server", "hide",
                        "Ask me about this connection", "The same as a table"):
            self.assertIn(control, reached)
        self.browser.js("document.getElementById('scrubber').focus()")
        self.browser.keys("ArrowRight")
        self.assertEqual(1, self.browser.js("return player.at"))

    def test_nothing_moves_for_who_wants_no_motion(self):
        animation = "return getComputedStyle(document.querySelector('.packet')).animationName"
        self.browser.open(self.page(CLOSE), "#c=1&s=3")
        self.assertEqual("travel", self.browser.js(animation))
        self.browser.media(prefers_reduced_motion="reduce")
        self.assertEqual("none", self.browser.js(animation))
        self.assertTrue(self.browser.js("return player.timer === null"), "it plays by itself")

    def test_narrow_and_magnified(self):
        for capture in (CLOSE, BUSY, CAPTURES / "ipv6.pcap"):
            self.browser.open(self.page(capture), "#c=1&s=5")
            for width in (chromium.PHONE, chromium.DESK_AT_200, chromium.WIDE):
                self.browser.resize(width)
                self.assertLessEqual(self.browser.js("return document.documentElement.scrollWidth"), width)

    def test_labels_between_the_ends_can_be_read(self):
        """None is cut off, none lies over another, whatever is long: numbers, runs, times; none is too small."""
        for capture in (CLOSE, CAPTURES / "half-close-download.pcap", CAPTURES / "ipv6.pcap"):
            for width in (chromium.PHONE, chromium.WIDE):
                self.browser.resize(width)
                self.browser.open(self.page(capture), "#c=1&s=99")
                box, labels, sizes = self.browser.js("""
                    const rect = (one) => {
                      const { left, top, right, bottom } = one.getBoundingClientRect();
                      return [left, top, right, bottom];
                    };
                    const drawing = document.querySelector('#wire svg'), texts = [...drawing.querySelectorAll('text')];
                    const scale = drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width;
                    return [rect(drawing), texts.map((one) => [one.textContent, ...rect(one)]),
                            texts.map((one) => scale * parseFloat(getComputedStyle(one).fontSize))]""")
                with self.subTest(capture=capture.name, width=width):
                    self.assertGreaterEqual(len(labels), 20)
                    self.assertGreaterEqual(min(sizes), 10 if width > chromium.PHONE else 9)
                    for n, (text, left, top, right, bottom) in enumerate(labels):
                        self.assertTrue(box[0] <= left and right <= box[2] and box[1] <= top and bottom <= box[3], text)
                        for other, left2, top2, right2, bottom2 in labels[n + 1:]:
                            self.assertFalse(left < right2 - 1 and left2 < right - 1 and top < bottom2 - 4
                                             and top2 < bottom - 4, f"{text!r} over {other!r}")

    # ---------------------------------------------------------------- privacy, and hostile captures

    def test_nothing_is_requested(self):
        page = self.page(CLOSE)
        self.assertEqual([page.as_uri()], self.browser.open(page))
        forbidden = self.browser.driver.execute_async_script("""
            const done = arguments[0], seen = [];
            document.addEventListener('securitypolicyviolation', (event) => seen.push(event.effectiveDirective));
            fetch('http://127.0.0.1:9/').catch(() => 0);
            const image = new Image(); image.src = 'http://127.0.0.1:9/a.png';
            const script = document.createElement('script'); script.textContent = 'window.hacked = 1';
            document.head.append(script);
            setTimeout(() => done([seen.sort(), window.hacked || 0]), 300)""")
        self.assertEqual([["connect-src", "img-src", "script-src-elem"], 0], forbidden)
        self.assertEqual([], [url for url in self.browser.requests() if not url.startswith("http://127.0.0.1:9/")])

    def test_documentation_addresses(self):
        captured = re.compile(r"\b10\.9\.0\.\d+\b|\bfd00:9::")
        for capture in (BUSY, CAPTURES / "ipv6.pcap"):
            hidden = self.page(capture, "ip.addr==10.0.0.0/8 or ipv6", ["-o", "tcpstate.hide_addresses:TRUE"])
            self.assertEqual([], captured.findall(hidden.read_text()))
            self.assertNotIn("10.0.0.0", hidden.read_text())
            self.assertTrue(captured.search(self.page(capture).read_text()))
            self.browser.open(self.page(capture))
            ports = ("return [...document.querySelectorAll('#list tbody tr')]"
                     ".map((row) => [6, 7].map((n) => row.cells[n].textContent.match(/:(\\d+)$/)[1]))")
            before = self.browser.js(ports)
            self.browser.js("document.getElementById('hide').click()")
            self.assertEqual(before, self.browser.js(ports))
            shown = self.browser.js("return document.body.innerText")
            self.assertEqual([], captured.findall(shown))
            self.assertRegex(shown, r"192\.0\.2\.1:|\[2001:db8:6:0::1\]:")
            self.browser.open(hidden)
            self.assertEqual(before, self.browser.js(ports))
            self.assertTrue(self.browser.js("return document.getElementById('hide').disabled"))

    def test_a_filter_injects_nothing(self):
        nasty = ("</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>\\\\ \\\" @DATA@ "
                 "<!-- <script>")  # which would swallow the end of the data's own element
        page = self.page(CLOSE, f'tcp and not frame contains "{nasty}"')
        requested = self.browser.open(page)
        self.assertEqual([page.as_uri()], requested)
        self.assertEqual([0, 2, 0], self.browser.js(
            "return [window.hacked || 0, document.scripts.length, document.images.length]"))
        self.assertIn("</script><script>window.hacked=1", self.text_of("about"))
        self.assertEqual([], self.browser.complaints())

    def test_huge_numbers(self):
        """The greatest sequence numbers, long addresses, times far off that run backwards."""
        ends = ["2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:9999:aaaa:bbbb:cccc:dddd:eeee"]
        frames = list(frames_of(ends, [(0, 4294967295, 0, ("SYN",)), (1, 4294967294, 0, ("SYN", "ACK")),
                                       (0, 0, 4294967295, ("ACK",)), (0, 0, 4294967295, ("FIN", "ACK"))], 65535))
        path = self.folder / "huge.pcap"
        times = [0, 2500000000 * 1000000 - 1, 5, 2147483648 * 1000000]
        path.write_bytes(packets.pcap(packets.ETHERNET, [(time, frame, None) for time, frame in zip(times, frames)]))
        self.browser.open(self.page(path))
        seen = self.browser.js(WALK, 1)
        self.assertEqual(5, len(seen))
        self.assertEqual("<SEQ=4294967295><CTL=SYN>", seen[1]["segment"])
        self.browser.resize(chromium.PHONE)
        self.assertLessEqual(self.browser.js("return document.documentElement.scrollWidth"), chromium.PHONE)
        self.assertEqual([], self.browser.complaints())

    def test_many_transitions(self):
        """A server that repeats its FIN for ever: two transitions for each two segments, in one connection."""
        close = [(0, 101, 301, ("FIN", "ACK")), (1, 301, 102, ("FIN", "ACK"))]
        script = HANDSHAKE + close + [(0, 102, 302, ("ACK",)), (1, 301, 102, ("FIN", "ACK"))] * 20000
        page = self.page(self.made("flapping", frames_of(["10.0.0.1", "10.0.0.2"], script), 300000))
        self.assertLess(page.stat().st_size, 4000000)
        self.browser.open(page)
        self.assertIn("the first 2,000 steps, ", self.text_of("player-note"))
        self.assertIn("are left out", self.text_of("player-note"))
        self.assertGreater(self.browser.js("return data.connections[0].transitions.length"), 1000)
        self.browser.js("document.getElementById('last').click()")
        self.assertEqual(2000, self.browser.js("return player.at"))

    # ---------------------------------------------------------------- sizes

    def test_sizes(self):
        """Under 200 kB for 100 segments; 10,000 connections can be used."""
        script = HANDSHAKE + [(n % 2, 101, 301, ("FIN", "ACK", "PSH")) for n in range(97)]
        hundred = self.page(self.made("hundred", frames_of(["10.0.0.1", "10.0.0.2"], script)))
        self.assertLess(hundred.stat().st_size, 200000)

        close = [(0, 101, 301, ("FIN", "ACK")), (1, 301, 102, ("ACK",)), (1, 301, 102, ("FIN", "ACK")),
                 (0, 102, 302, ("ACK",))]
        frames = (frame for n in range(10000)
                  for frame in frames_of([f"10.1.{n // 250}.{n % 250 + 1}", f"10.2.0.{n % 20 + 1}"], HANDSHAKE + close))
        page = self.page(self.made("ten-thousand", frames))
        self.browser.open(page)
        painted, ready = self.browser.js("return [performance.getEntriesByName('first-contentful-paint')[0].startTime, "
                                         "performance.timing.loadEventEnd - performance.timing.navigationStart]")
        took = self.browser.js("const from = performance.now(); document.querySelectorAll('#list .sort')[6].click(); "
                               "document.body.offsetWidth; return performance.now() - from")
        print(f"100 segments: {hundred.stat().st_size} bytes; 10,000 connections: {page.stat().st_size} bytes, first "
              f"paint after {painted:.0f} ms, read after {ready:.0f} ms, sorted in {took:.0f} ms", file=sys.stderr)
        self.assertEqual(10000, self.browser.js("return data.connections.length"))
        self.assertIn("can not be played", self.text_of("list-limits"))
        self.assertEqual(200, self.browser.js("return document.querySelectorAll('#list tbody tr').length"))
        self.assertLess(painted, 15000)
        self.assertLess(took, 5000)


if __name__ == "__main__":
    chromium.skip_if_missing()
    unittest.main()
