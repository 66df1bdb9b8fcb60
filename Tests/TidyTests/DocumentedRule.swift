/// What users of the client see says what it is.
enum DocumentedRule {
    private static let words: Set<Substring> = [
        "func", "init", "var", "let", "struct", "enum", "actor", "class", "protocol", "typealias", "subscript",
    ]
    private static let modifiers: Set<Substring> = ["static", "final", "mutating", "nonisolated", "indirect"]

    /// Public declarations in `file` without a comment of their own.
    static func findings(_ file: SourceFile) -> [String] {
        let lines = file.lines.map { $0.drop { $0 == " " } }
        return lines.indices.filter { isPublic(lines[$0]) && !isDocumented($0, lines) }
            .map { "\(file.path):\($0 + 1): nothing says what this is: \(lines[$0])" }
    }

    private static func isPublic(_ line: Substring) -> Bool {
        let words = line.split { !$0.isLetter }
        guard words.first == "public", let word = words.dropFirst().first(where: { !modifiers.contains($0) })
        else { return false }
        return self.words.contains(word)
    }

    /// The comment stands above the declaration and its attributes.
    private static func isDocumented(_ index: Int, _ lines: [Substring]) -> Bool {
        lines[..<index].last { !$0.hasPrefix("@") }?.hasPrefix("///") ?? false
    }
}
