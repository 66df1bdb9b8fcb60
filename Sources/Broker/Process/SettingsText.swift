extension BrokerConfiguration {
    /// The settings in force as a configuration file: what `--print-config` prints.
    public var configurationFile: String {
        let lines = settings.map { chosen in
            let value =
                switch chosen.value {
                case .text(let text): LogText.json(text)
                case .integer, .flag: chosen.value.description
                }
            return "  \(LogText.json(chosen.setting.name)): \(value)"
        }
        return "{\n\(lines.joined(separator: ",\n"))\n}"
    }
}

extension Setting {
    /// The table of all settings in Markdown, and that of the profiles.
    public static var document: String {
        var lines = ["| setting | default | values | what it does |", "| --- | --- | --- | --- |"]
        for setting in all {
            let fallback = setting.fallback == .text("") ? "" : "`\(setting.fallback)`"
            lines.append("| `\(setting.name)` | \(fallback) | \(setting.values) | \(setting.summary) |")
        }
        lines += ["", "| profile | sets |", "| --- | --- |"]
        for profile in Profile.allCases {
            let changes = all.compactMap { setting in setting.profiles[profile].map { "`\(setting.name)` `\($0)`" } }
            lines.append("| `\(profile.rawValue)` | \(changes.joined(separator: ", ")) |")
        }
        return lines.joined(separator: "\n")
    }

    private var values: String {
        switch kind {
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .choice(let words): words.joined(separator: ", ")
        case .text: "text"
        case .flag: "true, false"
        }
    }
}
