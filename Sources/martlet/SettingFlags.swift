import ArgumentParser
import MartletBroker

/// The flags of `Setting.all`: the parser, which finds flags by reflection, is shown one for each row.
struct SettingFlags: ParsableArguments, CustomReflectable {
    /// What was given, as text, by the name of the setting.
    private(set) var given: [String: String] = [:]

    init() {}

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Name.self)
        for setting in Setting.all {
            let name = Name(stringValue: setting.name)
            if setting.kind == .flag {
                if try values.decode(Flag<Bool>.self, forKey: name).wrappedValue { given[setting.name] = "true" }
            } else {
                given[setting.name] = try values.decode(Option<String?>.self, forKey: name).wrappedValue
            }
        }
    }

    var customMirror: Mirror {
        Mirror(self, children: Setting.all.map { (label: Optional($0.name), value: Self.argument($0)) })
    }

    private static func argument(_ setting: Setting) -> Any {
        let name = NameSpecification.customLong(setting.name)
        switch setting.kind {
        case .flag: return Flag<Bool>(wrappedValue: false, name: name, help: ArgumentHelp(setting.summary))
        case .integer, .text, .choice:
            let fallback = setting.fallback == .text("") ? "" : " (default: \(setting.fallback))"
            var help = ArgumentHelp(setting.summary + fallback)
            if case .choice(let words) = setting.kind { help.discussion = "One of \(words.joined(separator: ", "))." }
            help.valueName = setting.kind.placeholder
            return Option<String?>(name: name, help: help)
        }
    }

    /// A setting's name as the parser asks for it.
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension Setting.Kind {
    fileprivate var placeholder: String {
        switch self {
        case .integer: "n"
        case .choice: "word"
        case .text, .flag: "text"
        }
    }
}
