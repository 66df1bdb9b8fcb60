package import MartletProtocol

/// A pattern as Redis' KEYS has it: `*`, `?`, `[a-c]`, `[^x]`, `\` before a byte that stands for itself.
package struct Glob {
    /// The longest pattern that is tried; a longer one matches nothing.
    static let longest = 1_024
    let pattern: Bytes

    package init(_ pattern: Bytes) { self.pattern = pattern }

    /// What every text that matches begins with.
    var prefix: ArraySlice<UInt8> { pattern.prefix { !#"*?[\"#.utf8.contains($0) } }

    /// Steps back to the last `*` only, so time is at most pattern times text.
    package func matches(_ text: Bytes) -> Bool {
        guard pattern.count <= Self.longest else { return false }
        var (at, position) = (0, 0)
        var star: (at: Int, position: Int)?
        while position < text.count {
            if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
                star = (at, position)
                at += 1
            } else if at < pattern.count, let end = one(at, text[position]) {
                (at, position) = (end, position + 1)
            } else if let last = star {
                star = (last.at, last.position + 1)
                (at, position) = (last.at + 1, last.position + 1)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    /// Where the pattern goes on if its element at `start` matches `byte`.
    private func one(_ start: Int, _ byte: UInt8) -> Int? {
        switch pattern[start] {
        case UInt8(ascii: "?"): return start + 1
        case UInt8(ascii: "["): return oneOf(start + 1, byte)
        case UInt8(ascii: "\\") where start + 1 < pattern.count: return pattern[start + 1] == byte ? start + 2 : nil
        default: return pattern[start] == byte ? start + 1 : nil
        }
    }

    private func oneOf(_ start: Int, _ byte: UInt8) -> Int? {
        var at = start
        let isNegated = at < pattern.count && pattern[at] == UInt8(ascii: "^")
        if isNegated { at += 1 }
        var found = false
        while at < pattern.count, pattern[at] != UInt8(ascii: "]") {
            if pattern[at] == UInt8(ascii: "\\"), at + 1 < pattern.count { at += 1 }
            if at + 2 < pattern.count, pattern[at + 1] == UInt8(ascii: "-") {
                let (low, high) = (min(pattern[at], pattern[at + 2]), max(pattern[at], pattern[at + 2]))
                if byte >= low, byte <= high { found = true }
                at += 3
            } else {
                if pattern[at] == byte { found = true }
                at += 1
            }
        }
        return found != isNegated ? min(at + 1, pattern.count) : nil
    }
}
