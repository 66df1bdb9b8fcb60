import FoundationEssentials
import Glibc

/// Where the values of settings come from, the strongest first.
public enum SettingSource: String, CaseIterable, Sendable {
    case flag
    case variable
    case file
    case profile
    case fallback = "default"
}

/// A setting with the value it has.
public struct ChosenSetting: Sendable {
    public let setting: Setting
    public let value: Setting.Value
    public let source: SettingSource
}

extension BrokerConfiguration {
    /// Merges flags, then `MARTLET_` variables, then the JSON file at `file` (or `MARTLET_CONFIG`), then the profile,
    /// then the defaults.
    /// - Parameter flags: as text, by the name of their setting.
    public static func load(
        flags: [String: String], file: String?, environment: [String: String]
    ) throws(StartError) -> BrokerConfiguration {
        let path = file ?? environment[Setting.variablePrefix + "CONFIG"]
        var sources = SettingSources(flags: flags, environment: environment)
        if let path { sources.file = try SettingSources.read(path) }
        var configuration = BrokerConfiguration()
        for setting in Setting.all {
            let chosen = try sources.choose(setting)
            if setting.name == "profile" { sources.profile = Profile(rawValue: chosen.value.description) }
            setting.store(chosen.value, &configuration)
            configuration.settings.append(chosen)
        }
        return configuration
    }
}

private struct SettingSources {
    let flags: [String: String]
    let environment: [String: String]
    var file: [String: Setting.Value] = [:]
    var profile: Profile?

    init(flags: [String: String], environment: [String: String]) {
        (self.flags, self.environment) = (flags, environment)
    }

    /// The value of the strongest source that has one.
    func choose(_ setting: Setting) throws(StartError) -> ChosenSetting {
        if let text = flags[setting.name] {
            return try check(setting, setting.value(of: text), .flag, "--\(setting.name)", EX_USAGE)
        }
        if let text = environment[setting.variable] {
            return try check(setting, setting.value(of: text), .variable, setting.variable, EX_USAGE)
        }
        if let value = file[setting.name] {
            return try check(setting, value, .file, "\(setting.name) in the configuration file", EX_CONFIG)
        }
        if let profile, let value = setting.profiles[profile] {
            return ChosenSetting(setting: setting, value: value, source: .profile)
        }
        return ChosenSetting(setting: setting, value: setting.fallback, source: .fallback)
    }

    private func check(
        _ setting: Setting, _ value: Setting.Value?, _ source: SettingSource, _ place: String, _ code: Int32
    ) throws(StartError) -> ChosenSetting {
        // Text that is no value of its kind is reported as the kind it should be.
        let given = value ?? .text("")
        if let problem = setting.problem(given) { throw StartError(code, "\(place) \(problem)") }
        return ChosenSetting(setting: setting, value: given, source: source)
    }

    /// Reads a JSON object of settings; a key that is no setting is refused by name.
    static func read(_ path: String) throws(StartError) -> [String: Setting.Value] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartError(EX_CONFIG, "cannot read the configuration file \(path)")
        }
        let values: [String: Setting.Value]
        do {
            values = try JSONDecoder().decode([String: Setting.Value].self, from: data)
        } catch {
            throw StartError(
                EX_CONFIG,
                "the configuration file \(path) must be a JSON object whose values are numbers, text, true or false")
        }
        let known = Set(Setting.all.map(\.name))
        if let stranger = values.keys.sorted().first(where: { !known.contains($0) }) {
            let name = LogText.escaped(stranger)
            throw StartError(
                EX_CONFIG,
                "unknown key '\(name)' in the configuration file \(path); martlet serve --help lists the settings")
        }
        return values
    }
}

extension Setting.Value: Decodable {
    /// A JSON number, string or boolean.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Int.self) {
            self = .integer(number)
        } else {
            self = .text(try container.decode(String.self))
        }
    }
}
