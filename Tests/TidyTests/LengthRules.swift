/// How long things may get.
enum LengthRules {
    static let mostLinesOfFile = 400
    static let mostLinesOfFunction = 60
    static let mostCharactersOfLine = 120

    /// What is too long in `file`.
    static func findings(_ file: SourceFile) -> [String] {
        var findings: [String] = []
        // The text ends with a line end, so the last piece is empty.
        let lines = file.lines
        if lines.count - 1 > mostLinesOfFile {
            findings.append("\(file.path): \(lines.count - 1) lines; split it by idea, at most \(mostLinesOfFile)")
        }
        for (index, line) in lines.enumerated() where line.count > mostCharactersOfLine {
            findings.append("\(file.path):\(index + 1): \(line.count) characters; at most \(mostCharactersOfLine)")
        }
        for function in functions(in: CodeOnly.of(file.text)) where function.lines > mostLinesOfFunction {
            findings.append(
                "\(file.path):\(function.line): function of \(function.lines) lines; at most \(mostLinesOfFunction)")
        }
        return findings
    }

    /// Where the functions of `code` begin, and how many lines they have to their closing brace.
    static func functions(in code: String) -> [(line: Int, lines: Int)] {
        var finder = FunctionFinder()
        for token in Token.all(of: code) { finder.take(token) }
        return finder.found
    }
}

/// A word or a single sign of code, and its line from 1.
private struct Token {
    var text: Substring
    var line: Int
    /// It follows a dot: `.init(…)`.
    var isMember: Bool

    static func all(of code: String) -> [Token] {
        var tokens: [Token] = []
        for (index, line) in code.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = line
            while let first = rest.first {
                let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                let text = word.isEmpty ? rest.prefix(1) : word
                if !first.isWhitespace {
                    tokens.append(Token(text: text, line: index + 1, isMember: tokens.last?.text == "."))
                }
                rest = rest.dropFirst(text.count)
            }
        }
        return tokens
    }
}

/// Pairs function declarations with their bodies.
private struct FunctionFinder {
    private(set) var found: [(line: Int, lines: Int)] = []
    /// A declaration whose body has not begun.
    private var declared: Int?
    private var parentheses = 0
    private var braces = 0
    /// Bodies that are open: their line, and the brace depth they opened at.
    private var open: [(line: Int, depth: Int)] = []

    mutating func take(_ token: Token) {
        switch token.text {
        case "func", "init", "deinit", "subscript":
            guard !token.isMember, parentheses == 0 else { return }
            declared = token.line
        case "var", "let", "case", "struct", "class", "enum", "extension", "protocol", "typealias":
            // A requirement of a protocol has no body; what follows belongs to something else.
            if parentheses == 0 && !token.isMember { declared = nil }
        case "(": parentheses += 1
        case ")": parentheses -= 1
        case "{":
            // Braces inside parentheses are closures in arguments; they pair up by themselves.
            if let line = declared, parentheses == 0 {
                open.append((line, braces))
                declared = nil
            }
            braces += 1
        case "}":
            braces -= 1
            guard let body = open.last, body.depth == braces else { return }
            open.removeLast()
            found.append((body.line, token.line - body.line + 1))
        default: break
        }
    }
}
