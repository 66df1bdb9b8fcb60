/// Swift text with the content of comments and string literals blanked out, line for line, so that words and braces
/// in them do not count. Interpolated code stays.
struct CodeOnly {
    private enum Context: Equatable {
        /// Code, with the depth of parentheses when it is an interpolation.
        case code(parentheses: Int?)
        /// A string literal: how many `#` and quotes end it.
        case string(hashes: Int, quotes: Int)
        case lineComment
        case blockComment(depth: Int)
    }

    private let characters: [Character]
    private var position = 0
    private var contexts: [Context] = [.code(parentheses: nil)]
    private var output = ""

    /// The code in `text`.
    static func of(_ text: String) -> String {
        var scanner = CodeOnly(characters: Array(text))
        while scanner.position < scanner.characters.count { scanner.step() }
        return scanner.output
    }

    private init(characters: [Character]) { self.characters = characters }

    private mutating func step() {
        switch contexts[contexts.count - 1] {
        case .code(let parentheses): stepInCode(parentheses)
        case .string(let hashes, let quotes): stepInString(hashes, quotes)
        case .lineComment:
            if characters[position] == "\n" { contexts.removeLast() }
            blank(1)
        case .blockComment(let depth): stepInBlockComment(depth)
        }
    }

    private mutating func stepInCode(_ parentheses: Int?) {
        if starts("//") { return enter(.lineComment, blanking: 2) }
        if starts("/*") { return enter(.blockComment(depth: 1), blanking: 2) }
        let hashes = count("#", from: position)
        if let quotes = quotes(at: position + hashes) {
            return enter(.string(hashes: hashes, quotes: quotes), blanking: hashes + quotes)
        }
        if let parentheses {
            let change = starts("(") ? 1 : starts(")") ? -1 : 0
            contexts[contexts.count - 1] = .code(parentheses: parentheses + change)
            if parentheses + change == 0 { contexts.removeLast() }
        }
        output.append(characters[position])
        position += 1
    }

    private mutating func stepInString(_ hashes: Int, _ quotes: Int) {
        let escape = "\\" + String(repeating: "#", count: hashes)
        if starts(escape) {
            if starts(escape + "(") { return enter(.code(parentheses: 1), blanking: escape.count + 1) }
            return blank(escape.count + 1)
        }
        let end = String(repeating: "\"", count: quotes) + String(repeating: "#", count: hashes)
        // An unended single-line literal ends with its line: the compiler refuses it anyway.
        let isCut = quotes == 1 && characters[position] == "\n"
        if starts(end) || isCut { contexts.removeLast() }
        blank(starts(end) ? end.count : 1)
    }

    private mutating func stepInBlockComment(_ depth: Int) {
        let change = starts("/*") ? 1 : starts("*/") ? -1 : 0
        contexts[contexts.count - 1] = .blockComment(depth: depth + change)
        if depth + change == 0 { contexts.removeLast() }
        blank(change == 0 ? 1 : 2)
    }

    private mutating func enter(_ context: Context, blanking length: Int) {
        contexts.append(context)
        blank(length)
    }

    private mutating func blank(_ length: Int) {
        for _ in 0..<length where position < characters.count {
            output.append(characters[position] == "\n" ? "\n" : " ")
            position += 1
        }
    }

    private func starts(_ text: String) -> Bool { characters[position...].starts(with: text) }

    private func count(_ character: Character, from start: Int) -> Int {
        characters[start...].prefix { $0 == character }.count
    }

    /// 1 or 3 when a string literal begins at `start`.
    private func quotes(at start: Int) -> Int? {
        guard start < characters.count, characters[start] == "\"" else { return nil }
        return characters[start...].starts(with: "\"\"\"") ? 3 : 1
    }
}
