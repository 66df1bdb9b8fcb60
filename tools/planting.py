"""Many faults in one build: a declaration that holds some is written once for each and once as it is, and which of them
is called is asked when the program runs. Building is what takes long."""

import re

DECLARATION = re.compile(
    r"^(?P<indent> *)(?P<words>(?:(?:public|package|private|fileprivate|internal|static|mutating|nonmutating|final)"
    r"(?:\(set\))? )*)(?:(?P<kind>func|var) (?P<name>`?\w+`?|[^\s\w(]+(?= ?[(<]))|(?P<init>init)(?=[(<]))")
PARAMETER = re.compile(r"^(?:@\w+ )*(?P<label>`?\w+`?)(?: +(?P<name>`?\w+`?))? *: *(?P<type>.*)$", re.S)
SWITCH = """import Foundation

/// Which of the planted faults is the one of this process; 0: none.
let plantedFault = Int(ProcessInfo.processInfo.environment["PLANTED_FAULT"] ?? "") ?? 0
"""


def closing(text, start):
    """Where the bracket at `start` is closed; strings with brackets of their own are closed within themselves."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    open_ones = []
    for place in range(start, len(text)):
        if text[place] in pairs:
            open_ones.append(pairs[text[place]])
        elif open_ones and text[place] == open_ones[-1]:
            open_ones.pop()
            if not open_ones:
                return place
    return None


def parts(text):
    """Between the commas that are in no bracket."""
    found, depth, last = [], 0, ""
    for place, char in enumerate(text):
        if char in "([{<":
            depth += 1
        elif char in ")]}" or char == ">" and text[place - 1] != "-":
            depth -= 1
        if char == "," and depth == 0:
            found.append(last)
            last = ""
        else:
            last += char
    return [part.strip() for part in found + [last] if part.strip()]


class Declaration:
    """A function, an initializer of a struct, or a computed variable, at a place of a text: its head, and what is between
    its braces."""

    def __init__(self, text, start, match):
        self.start, self.match = start, match
        place = start + len(match.group(0))
        self.arguments = None
        if match["kind"] != "var":
            place = text.index("(", place)
            end = self.closed = closing(text, place)
            self.arguments = [PARAMETER.match(part) for part in parts(text[place + 1:end])]
            place = end + 1
        while text[place] != "{":
            if text[place] in "=;" or text[place] == "\n" and match["kind"] == "var":
                raise ValueError("has no body")
            place = closing(text, place) + 1 if text[place] in "([" else place + 1
        self.body = place
        line_end = text.find("\n", place)
        if text[place:line_end].rstrip().endswith("}"):
            self.end = line_end
        else:
            self.end = text.index("\n" + match["indent"] + "}\n", place) + len(match["indent"]) + 2
        self.head = text[start:self.body]
        if None in (self.arguments or []) or any("..." in argument["type"] for argument in self.arguments or []):
            raise ValueError("has arguments that cannot be passed on")
        if re.match(r"\{\s*(get|set|_read|_modify|willSet|didSet)\b", text[self.body:self.end]):
            raise ValueError("has more than one body")

    def copy(self, text, name):
        """`text` is the declaration's own, as it is to be. An initializer is known by one argument more."""
        head = self.match.group(0)
        if self.match["init"]:
            end = self.closed - self.start
            return f"{text[:end]}{', ' if self.arguments else ''}{name}: Void{text[end:]}"
        return head[:len(head) - len(self.match["name"])] + name + text[len(head):]

    def call(self, name):
        if self.arguments is None:
            return name
        given = []
        for argument in self.arguments:
            label, inner = argument["label"], argument["name"] or argument["label"]
            value = ("&" if argument["type"].startswith("inout ") else "") + inner
            value += "()" if "@autoclosure" in argument["type"] else ""
            given.append(value if label == "_" else f"{label}: {value}")
        throws = re.search(r"\)\s*(?:rethrows|throws)\b", self.head)
        if self.match["init"]:
            given.append(f"{name}: ()")
            name = "self.init"
        return f"{'try ' if throws else ''}{name}({', '.join(given)})"

    def dispatcher(self, name, numbers):
        """The declaration, asking which of its copies it is."""
        indent = self.match["indent"]
        lines = []
        for number in [*numbers, 0]:
            call = self.call(f"{name}By{number}")
            call = f"{call}; return" if self.match["init"] else f"return {call}"
            lines.append(f"{indent}    if plantedFault == {number} {{ {call} }}\n" if number else f"{indent}    {call}\n")
        return f"{self.head}{{\n{''.join(lines)}{indent}}}"


def around(text, start, end):
    """The outermost declaration that holds a range within its body; `None`: there is none."""
    place = text.rfind("\n", 0, start) + 1
    found = None
    least = None
    while place >= 0:
        line = text[place:text.find("\n", place)]
        match = DECLARATION.match(line)
        if match and (least is None or len(match["indent"]) < least):
            try:
                declaration = Declaration(text, place, match)
                if declaration.body < start and end <= declaration.end:
                    found, least = declaration, len(match["indent"])
            except (ValueError, IndexError, TypeError):
                pass
        place = text.rfind("\n", 0, place - 1) + 1 if place > 0 else -1
    return found


def planted(text, faults):
    """The text with all the faults that can be switched on and off, and the numbers of those.

    A fault is (number, [(original, replacement)]); every original is there once.
    """
    declarations, changes, numbers = {}, {}, []
    for number, edits in faults:
        places = []
        for original, replacement in edits:
            start = text.index(original)
            declaration = around(text, start, start + len(original))
            places.append((declaration, start, original, replacement))
        if any(declaration is None for declaration, *_ in places):
            continue
        numbers.append(number)
        for declaration, *change in places:
            declarations[declaration.start] = declaration
            changes.setdefault(declaration.start, {}).setdefault(number, []).append(change)
    for start in sorted(declarations, reverse=True):
        declaration = declarations[start]
        own = text[start:declaration.end]
        name = re.sub(r"\W", "", declaration.match["name"] or "init") + f"Planted{start}"
        copies = [declaration.copy(own, f"{name}By0")]
        for number, edits in changes[start].items():
            changed = own
            for _, original, replacement in edits:
                changed = changed.replace(original, replacement)
            copies.append(declaration.copy(changed, f"{name}By{number}"))
        text = text[:start] + "\n\n".join([declaration.dispatcher(name, changes[start])] + copies) + text[declaration.end:]
    return text, numbers
