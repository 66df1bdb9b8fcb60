/// A word that must not stand in code, where that is so, and what to use instead.
struct BannedWord {
    var word: String
    /// Folders it is banned from; empty: everywhere.
    var folders: [String] = []
    /// Folders in which it is allowed all the same.
    var except: [String] = []
    var instead: String

    static let all: [BannedWord] = [
        BannedWord(word: "Date(", folders: deterministic, instead: "the now: that is handed in"),
        BannedWord(word: "async", folders: deterministic, instead: "a plain call: the engine never suspends"),
        BannedWord(word: "await", folders: deterministic, instead: "a plain call: the engine never suspends"),
        BannedWord(
            word: "SystemRandomNumberGenerator", folders: deterministic, instead: "the generator that is handed in"),
        BannedWord(word: "print(", folders: ["Sources"], except: ["Sources/martlet"], instead: "a Logger"),
        BannedWord(word: "try!", instead: "a typed throw, or try? with a word why"),
        BannedWord(word: "Task.sleep", folders: ["Tests"], instead: "an event, a condition or the virtual clock"),
        BannedWord(word: "usleep", folders: ["Tests"], instead: "an event, a condition or the virtual clock"),
        BannedWord(word: "Thread.sleep", folders: ["Tests"], instead: "an event, a condition or the virtual clock"),
        BannedWord(word: "@testable", folders: ["Tests"], instead: "package access: tests run on the release build"),
    ]

    private static let deterministic = ["Sources/Engine", "Sources/Storage", "Sources/Protocol/Vocabulary"]

    /// Where `file` has banned words in its code.
    static func findings(_ file: SourceFile) -> [String] {
        let banned = all.filter { $0.applies(to: file) }
        guard !banned.isEmpty else { return [] }
        var findings: [String] = []
        let code = CodeOnly.of(file.text).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in code.enumerated() {
            for entry in banned where entry.occurs(in: line) {
                findings.append("\(file.path):\(index + 1): \(entry.word) is banned here; use \(entry.instead)")
            }
        }
        return findings
    }

    /// Whether it begins and ends like a name, so that longer names do not count.
    var isWord: Bool { isWordCharacter(word.first) && isWordCharacter(word.last) }

    func applies(to file: SourceFile) -> Bool {
        (folders.isEmpty || folders.contains(where: file.isIn)) && !except.contains(where: file.isIn)
    }

    /// Whether the word stands in `line`, not as a part of a longer one.
    func occurs(in line: Substring) -> Bool {
        var rest = line
        var before: Character?
        while let first = rest.first {
            if rest.hasPrefix(word) {
                let after = rest.dropFirst(word.count).first
                let startsFree = !(isWordCharacter(word.first) && isWordCharacter(before))
                let endsFree = !(isWordCharacter(word.last) && isWordCharacter(after))
                if startsFree && endsFree { return true }
            }
            before = first
            rest = rest.dropFirst()
        }
        return false
    }

    private func isWordCharacter(_ character: Character?) -> Bool {
        character.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false
    }
}

/// Text that ties the project to one machine or leaves work behind. Searched in comments and strings too.
enum BannedText {
    /// Written in pieces, so that this file does not find itself.
    static let all = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "TO" + "DO", "FIX" + "ME"]

    static func findings(_ file: SourceFile) -> [String] {
        var findings: [String] = []
        for (index, line) in file.lines.enumerated() {
            for text in all where line.contains(text) {
                findings.append("\(file.path):\(index + 1): \(text) must not stand in the repository")
            }
        }
        return findings
    }
}
