/// A command's arguments, read from the `usage` of its row: what COMMAND DOCS tells and redis-cli hints.
///
///     id token [RESULT bytes] [COUNT n | ALL] queue [queue ...]
///
/// Upper case stands for itself, lower case for a value; `[ ]` may be left out, ` | ` is a choice between all that
/// stands beside it, `A|B` between two words, and `x [x ...]` is one or more.
struct Usage {
    indirect enum Argument: Equatable {
        case token(String)
        case value(String)
        case choice([[Argument]])
        case optional([Argument])
        /// Once, then as often as one likes.
        case many([Argument])
    }

    let arguments: [Argument]

    init(_ usage: String) {
        var reader = Reader(usage)
        arguments = reader.alternatives()
    }

    private struct Reader {
        private var words: [String]
        private var position = 0

        init(_ usage: String) {
            let spaced = usage.replacing("[", with: " [ ").replacing("]", with: " ] ")
            words = spaced.split(separator: " ").map(String.init)
        }

        mutating func alternatives() -> [Argument] {
            var choices: [[Argument]] = [[]]
            while position < words.count, words[position] != "]", words[position] != "..." {
                position += 1
                switch words[position - 1] {
                case "|": choices.append([])
                case "[": optional(&choices[choices.count - 1])
                case let word: choices[choices.count - 1].append(Self.argument(word))
                }
            }
            return choices.count == 1 ? choices[0] : [.choice(choices)]
        }

        /// What follows a `[`. With `...` at its end it repeats what stands before it.
        private mutating func optional(_ before: inout [Argument]) {
            let inner = alternatives()
            let repeats = position < words.count && words[position] == "..."
            position += repeats ? 2 : 1
            guard repeats else { return before.append(.optional(inner)) }
            guard before.suffix(inner.count) == inner[...] else { return before.append(.optional([.many(inner)])) }
            before.removeLast(inner.count)
            before.append(.many(inner))
        }

        private static func argument(_ word: String) -> Argument {
            let parts = word.split(separator: "|").map(String.init)
            guard parts.count == 1 else { return .choice(parts.map { [argument($0)] }) }
            let isToken = word.contains { $0.isUppercase } || word == "*"
            return isToken ? .token(word) : .value(word)
        }
    }
}

extension Usage.Argument {
    /// An entry of COMMAND DOCS' `arguments`.
    struct Entry {
        var name: String
        var type: String
        var token: String?
        var flags: [String] = []
        var arguments: [Entry] = []
    }

    /// As Redis describes arguments: a token belongs to the value behind it.
    static func entries(_ arguments: [Usage.Argument]) -> [Entry] {
        var entries: [Entry] = []
        for argument in arguments {
            if case .value = argument, let last = entries.last, last.type == "pure-token", last.token != "*" {
                entries.removeLast()
                var entry = argument.entry
                entry.token = last.token
                entries.append(entry)
            } else {
                entries.append(argument.entry)
            }
        }
        return entries
    }

    private static let numbers: Set<String> = [
        "n", "ms", "p", "count", "numqueues", "start", "stop", "token", "bytes", "0..100", "pct", "cap", "base", "step",
    ]

    private var entry: Entry {
        switch self {
        case .token(let word): Entry(name: word.lowercased(), type: "pure-token", token: word)
        case .value(let name): Entry(name: name, type: Self.numbers.contains(name) ? "integer" : "string")
        case .choice(let choices): Entry(name: "choice", type: "oneof", arguments: choices.map(Self.one))
        case .optional(let inner):
            Self.flagged("optional", Self.one(inner))
        case .many(let inner): Self.flagged("multiple", Self.one(inner))
        }
    }

    private static func flagged(_ flag: String, _ entry: Entry) -> Entry {
        var entry = entry
        entry.flags.append(flag)
        return entry
    }

    /// Several arguments as one: a block.
    private static func one(_ arguments: [Usage.Argument]) -> Entry {
        let entries = entries(arguments)
        return entries.count == 1 ? entries[0] : Entry(name: "block", type: "block", arguments: entries)
    }
}
