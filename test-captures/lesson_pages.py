#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the lesson as pages: for each stop of LESSON.md its captures, to be played, with its questions and answers.

    lesson_pages.py FOLDER [TSHARK-OPTION...]

Writes 1-figure-06.html and so on to FOLDER; each is one file that needs no network. The plugin must be installed.
"""

import html
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def stops(lesson):
    """(number, title, text, answers) of each stop; texts are Markdown."""
    body, answers = lesson.split("\n## Answers\n")
    explained = dict(re.findall(r"^\*\*(\d+)\. [^*]*\*\* (.*?)(?=^\*\*\d|\Z)", answers, re.MULTILINE | re.DOTALL))
    for number, title, text in re.findall(r"^## (\d+)\. (.*?)\n(.*?)(?=^## |\Z)", body, re.MULTILINE | re.DOTALL):
        yield number, title, text, explained[number]


def captures(text):
    """The captures that a stop opens, in order."""
    opened = re.search(r"Open (.*?)(?:, press|\. |, a recording|: both|\n\n)", text, re.DOTALL)[1]
    return re.findall(r"`([\w/-]+)\.pcap`", opened)


def inline(text):
    """A line of Markdown as HTML: code, emphasis; links lose their target, which lies beside the lesson."""
    text = html.escape(re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", " ".join(text.split())), quote=False)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", re.sub(r"`([^`]+)`", r"<code>\1</code>", text))


def blocks(text):
    """Paragraphs and numbered lists of Markdown as HTML. Pictures and what commands print are in the page itself."""
    text = re.sub(r"^```.*?^```\n|^!\[.*?\)\n|^    .*\n", "", text, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n{2,}", text.strip()):
        if re.match(r"1\. ", block):
            items = re.split(r"^\d+\. ", block, flags=re.MULTILINE)[1:]
            yield "<ol>" + "".join(f"<li>{inline(item)}</li>" for item in items) + "</ol>"
        elif block:
            yield f"<p>{inline(block)}</p>"


def section(number, title, text, answers, links):
    """What stands above the page's own parts."""
    explained = "".join(f"<li>{inline(item)}</li>" for item in re.split(r"(?:^|\s)\d: ", answers)[1:])
    return "\n".join([f'<section aria-labelledby="lesson-title"><h2 id="lesson-title">{number}. {inline(title)}</h2>',
                      *blocks(text), f"<details><summary>Answers</summary><ol>{explained}</ol></details>",
                      f'<nav aria-label="Lesson">{links}</nav></section>\n'])


def write(folder, page_of):
    """Write all pages; page_of(capture) returns a capture's page. Returns their paths."""
    lesson = [(stop, capture) for stop in stops((HERE / "LESSON.md").read_text()) for capture in captures(stop[2])]
    paths = [folder / f"{stop[0]}-{Path(capture).name}.html" for stop, capture in lesson]
    links = " · ".join(f'<a href="{path.name}">{path.stem}</a>' for path in paths)
    for (stop, capture), path in zip(lesson, paths):
        head, parts = page_of(HERE / f"{capture}.pcap").split("<main>\n", 1)
        path.write_text(f"{head}<main>\n{section(*stop, links)}{parts}")
    return paths


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder, options = Path(sys.argv[1]), sys.argv[2:]

    def page_of(capture):
        return subprocess.run(["tshark", "-q", "-r", capture, *options, "-z", "tcpstate,page"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    folder.mkdir(parents=True, exist_ok=True)
    print("\n".join(map(str, write(folder, page_of))))


if __name__ == "__main__":
    main()
