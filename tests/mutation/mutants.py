"""Mutants of C sources: small changes to a text, each of which a test should notice.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
  | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<mark><<=|>>=|->|\+\+|--|&&|\|\||<<|>>|[<>=!+\-*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])
""", re.X | re.S | re.M)

SWAPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
           "true": "false", "false": "true", "seq_lt": "seq_le", "seq_le": "seq_lt", "seq_gt": "seq_ge",
           "seq_ge": "seq_gt", "|=": "=", "&=": "=", "+=": "-=", "-=": "+=", "++": "--", "--": "++",
           "<<": ">>", ">>": "<<"}
# A declaration begins with one of these.
TYPES = {"const", "static", "struct", "enum", "union", "bool", "unsigned", "int", "char", "void", "inline", "typedef",
         "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int64_t", "size_t", "extern"}
# "unsigned count : " before the width of a bit-field.
BIT_FIELD = re.compile(r"^ +(?:bool|uint\d+_t) +\w+ : (?:\d+, \w+ : )*\Z", re.M)
OPEN, CLOSE = set("([{"), set(")]}")


@dataclasses.dataclass(frozen=True)
class Mutant:
    start: int  # the octets [start, end) of the source
    end: int
    text: str   # that stand there instead
    kind: str

    def apply(self, source):
        return source[:self.start] + self.text + source[self.end:]


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int
    depth: int  # of parentheses, brackets and braces around it


def tokens_of(source):
    found, depth = [], 0
    for match in TOKEN.finditer(source):
        kind, text = match.lastgroup, match.group()
        if kind == "mark" and text in CLOSE:
            depth -= 1
        found.append(Token(kind, text, match.start(), match.end(), depth))
        if kind == "mark" and text in OPEN:
            depth += 1
    return found


def _names(source_of_all, prefix):
    return sorted(set(re.findall(rf"\b{prefix}[A-Z0-9_]+\b", source_of_all)))


class Finder:
    def __init__(self, source, states, events):
        self.source = source
        self.states, self.events = states, events
        all_tokens = tokens_of(source)
        self.tokens = [t for t in all_tokens if t.kind not in ("comment", "directive")]
        self.comments = [t for t in all_tokens if t.kind == "comment"]
        self.directives = [t for t in all_tokens if t.kind == "directive"]
        self.found = []

    def add(self, start, end, text, kind):
        if self.source[start:end] != text:
            self.found.append(Mutant(start, end, text, kind))

    def closing(self, index):
        """Index of the token that closes the one at index."""
        depth = self.tokens[index].depth
        while True:
            index += 1
            if self.tokens[index].depth == depth and self.tokens[index].text in CLOSE:
                return index

    def all(self):
        for index, token in enumerate(self.tokens):
            self._token(index, token)
            if token.text in ("&&", "||"):
                self._operands(index, token)
            if token.text in ("if", "while") and self.tokens[index + 1].text == "(":
                self._condition(index)
            if token.text == "?":
                self._choice(index, token)
        self._statements()
        self._initialisers()
        self._falling_through()
        self._defined_numbers()
        unique = {(m.start, m.end, m.text): m for m in self.found}
        return sorted(unique.values(), key=lambda m: (m.start, m.end, m.text))

    def _token(self, index, token):
        before = self.tokens[index - 1] if index else None
        if token.text in SWAPPED:
            self.add(token.start, token.end, SWAPPED[token.text], "swap")
        elif token.kind == "number":
            self._number(token)
        elif token.kind == "word" and before and before.text != "case":
            for names in (self.states, self.events):
                if token.text in names:
                    for step in (1, 2):
                        other = names[(names.index(token.text) + step) % len(names)]
                        self.add(token.start, token.end, other, "name")
        elif token.text in "+-" and before and (before.kind in ("word", "number") or before.text in ")]") \
                and before.text not in ("return", "case"):
            self.add(token.start, token.end, "-" if token.text == "+" else "+", "swap")
        elif token.text == "!":
            self.add(token.start, token.end, "", "negate")

    def _number(self, token):
        digits = re.match(r"(0[xX][0-9a-fA-F]+|\d+)(.*)", token.text)
        value, suffix = int(digits[1], 0), digits[2]
        if not BIT_FIELD.search(self.source, 0, token.start): # one bit more changes nothing
            self.add(token.start, token.end, f"{value + 1}{suffix}", "number")
        if value > 0:
            self.add(token.start, token.end, f"{value - 1}{suffix}", "number")

    def _operand(self, index, direction, operator):
        """Index of the operand's last token on that side of the operator at index."""
        depth = self.tokens[index].depth
        ends = {"||", "?", ":", ",", ";", "=", "return", "|=", "&="} | ({"&&"} if operator == "&&" else set())
        last = index
        while True:
            token = self.tokens[last + direction]
            if token.depth < depth or (token.depth == depth and (token.text in ends or token.text in "{}")):
                return last
            last += direction

    def _operands(self, index, token):
        left, right = self._operand(index, -1, token.text), self._operand(index, 1, token.text)
        if left == index or right == index:
            return
        tokens = self.tokens
        self.add(tokens[left].start, tokens[index + 1].start, "", "operand")
        self.add(tokens[index - 1].end, tokens[right].end, "", "operand")
        for first, last in ((left, index - 1), (index + 1, right)):
            text = self.source[tokens[first].start:tokens[last].end]
            self.add(tokens[first].start, tokens[last].end, f"!({text})", "negate")

    def _condition(self, index):
        opening, closing = self.tokens[index + 1], self.tokens[self.closing(index + 1)]
        text = self.source[opening.end:closing.start]
        self.add(opening.end, closing.start, f"!({text})", "negate")
        self.add(opening.end, closing.start, "0", "condition")
        if self.tokens[index].text == "if":
            self.add(opening.end, closing.start, "1", "condition")

    def _choice(self, index, token):
        first = index
        while first > 0 and (self.tokens[first - 1].depth > token.depth or (
                self.tokens[first - 1].depth == token.depth
                and self.tokens[first - 1].text not in (":", "?", ",", ";", "=", "return", "{", "}", "(", "["))):
            first -= 1
        start, end = self.tokens[first].start, self.tokens[index - 1].end
        for text in (f"!({self.source[start:end]})", "0", "1"):
            self.add(start, end, text, "condition")

    def _statements(self):
        """Simple statements: what lies between ; { } : and ), in functions."""
        tokens = self.tokens
        for index, token in enumerate(tokens):
            if token.text != ";":
                continue
            first = index
            while first > 0 and not (tokens[first - 1].depth == token.depth and tokens[first - 1].text in ";}:"
                                     or tokens[first - 1].depth < token.depth):
                first -= 1
            if first > 0 and tokens[first - 1].text not in "{;}:":
                continue # the parts of a for
            if tokens[first - 1].text == ":" and tokens[first - 2].text == "?":
                continue
            while tokens[first].text in ("if", "else", "while", "for", "do"):
                first = self.closing(first + 1) + 1 if tokens[first].text in ("if", "while", "for") else first + 1
                if first >= index:
                    break
            if first >= index or token.depth == 0:
                continue
            self._statement(first, index)

    def _statement(self, first, last):
        tokens = self.tokens
        words = [t.text for t in tokens[first:last]]
        start, end = tokens[first].start, tokens[last].start
        declares = words[0] in TYPES or (len(words) > 1 and tokens[first].kind == tokens[first + 1].kind == "word"
                                         and words[0] != "return")
        if declares:
            if "bool" in words and "=" in words:
                value = first + words.index("=") + 1
                if "," not in [t.text for t in tokens[value:last] if t.depth == tokens[first].depth]:
                    self._negate(value, last)
            return
        if words[0] == "return" and len(words) > 1:
            self._negate(first + 1, last)
        self.add(start, end, "", "statement")
        for index in range(first, last):
            if tokens[index].text == "=" and tokens[index].depth == tokens[first].depth and words.count("=") > 1:
                begin = max([first] + [i + 1 for i in range(first, index) if tokens[i].text in ("=", ",")])
                self.add(tokens[begin].start, tokens[index + 1].start, "", "statement") # one of a chain

    def _negate(self, first, last):
        start, end = self.tokens[first].start, self.tokens[last].start
        self.add(start, end, f"!({self.source[start:end]})", "negate")

    def _initialisers(self):
        tokens = self.tokens
        for index in range(1, len(tokens) - 2):
            if tokens[index].text != "." or tokens[index - 1].text not in "{,":
                continue
            last = index
            while not (tokens[last].text == "," and tokens[last].depth == tokens[index].depth
                       or tokens[last].depth < tokens[index].depth):
                last += 1
            if tokens[last].text == ",":
                self.add(tokens[index].start, tokens[last].end, "", "member")

    def _falling_through(self):
        for comment in self.comments:
            if "fall through" in comment.text:
                self.add(comment.start, comment.end, "break;", "break")

    def _defined_numbers(self):
        for directive in self.directives:
            match = re.match(r"\s*#\s*define\s+\w+\s+(\d+)\b", directive.text)
            if match:
                for step in (1, -1):
                    start = directive.start + match.start(1)
                    self.add(start, start + len(match[1]), str(int(match[1]) + step), "number")


def mutants_of(source, states, events):
    return Finder(source, states, events).all()
