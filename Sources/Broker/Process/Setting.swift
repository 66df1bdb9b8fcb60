/// One setting: its name is the flag `--name`, the variable `MARTLET_NAME` and the key `name` of the file.
public struct Setting: Sendable {
    /// What its values are.
    public enum Kind: Hashable, Sendable {
        case integer(ClosedRange<Int>)
        case choice([String])
        case text
        case flag
    }

    /// One value.
    public enum Value: Hashable, Sendable {
        case integer(Int)
        case text(String)
        case flag(Bool)
    }

    public let name: String
    public let kind: Kind
    /// What it is when nobody says anything.
    public let fallback: Value
    public let summary: String
    /// What it is instead when such a profile was chosen.
    public let profiles: [Profile: Value]
    /// Takes a valid value over.
    let store: @Sendable (Value, inout BrokerConfiguration) -> Void

    private init(
        _ name: String, _ kind: Kind, _ fallback: Value, _ summary: String, _ profiles: [Profile: Value],
        _ store: @escaping @Sendable (Value, inout BrokerConfiguration) -> Void
    ) {
        (self.name, self.kind, self.fallback, self.summary) = (name, kind, fallback, summary)
        (self.profiles, self.store) = (profiles, store)
    }

    /// The environment variable: `max-clients` is `MARTLET_MAX_CLIENTS`.
    public var variable: String { Self.variablePrefix + name.replacing("-", with: "_").uppercased() }

    static let variablePrefix = "MARTLET_"

    /// Why `value` is not possible; `nil`: it is.
    func problem(_ value: Value) -> String? {
        switch (kind, value) {
        case (.integer(let range), .integer(let number)) where range.contains(number): nil
        case (.integer(let range), _): "must be \(range.lowerBound) to \(range.upperBound)"
        case (.choice(let words), .text(let text)) where words.contains(text): nil
        case (.choice(let words), _): "must be one of \(words.joined(separator: ", "))"
        case (.text, .text), (.flag, .flag): nil
        case (.text, _): "must be text"
        case (.flag, _): "must be true or false"
        }
    }

    /// The value that `text`, of a flag or a variable, stands for; `nil`: none of this kind.
    func value(of text: String) -> Value? {
        switch kind {
        case .integer: Int(text).map { .integer($0) }
        case .choice, .text: .text(text)
        case .flag: ["true": .flag(true), "1": .flag(true), "false": .flag(false), "0": .flag(false)][text]
        }
    }
}

extension Setting.Value: CustomStringConvertible {
    /// As it stands on a command line.
    public var description: String {
        switch self {
        case .integer(let number): "\(number)"
        case .text(let text): text
        case .flag(let flag): "\(flag)"
        }
    }
}

// MARK: - How rows are written

extension Setting {
    static func integer(
        _ name: String, _ fallback: Int, _ range: ClosedRange<Int>, _ summary: String,
        _ profiles: [Profile: Int] = [:], _ store: @escaping @Sendable (Int, inout BrokerConfiguration) -> Void
    ) -> Setting {
        Setting(name, .integer(range), .integer(fallback), summary, profiles.mapValues { .integer($0) }) {
            if case .integer(let number) = $0 { store(number, &$1) }
        }
    }

    static func choice(
        _ name: String, _ fallback: String, of words: [String], _ summary: String,
        _ profiles: [Profile: String] = [:],
        _ store: @escaping @Sendable (String, inout BrokerConfiguration) -> Void
    ) -> Setting {
        Setting(name, .choice(words), .text(fallback), summary, profiles.mapValues { .text($0) }) {
            store($0.description, &$1)
        }
    }

    static func text(
        _ name: String, _ fallback: String, _ summary: String,
        _ store: @escaping @Sendable (String, inout BrokerConfiguration) -> Void
    ) -> Setting {
        Setting(name, .text, .text(fallback), summary, [:]) { store($0.description, &$1) }
    }

    static func flag(
        _ name: String, _ summary: String,
        _ store: @escaping @Sendable (Bool, inout BrokerConfiguration) -> Void
    ) -> Setting {
        Setting(name, .flag, .flag(false), summary, [:]) { store($0 == .flag(true), &$1) }
    }
}
