import Configuration
import FoundationEssentials
import Glibc
import Logging
import SystemPackage

/// One setting: its name is the flag `--name`, the variable `MARTLET_NAME` and the key `name` of the file.
public struct Setting: Sendable {
    public enum Value: Hashable, Sendable {
        case integer(Int)
        case text(String)
        case flag(Bool)
    }

    public let name: String
    public let fallback: Value
    public let summary: String
    /// Takes the value over; says what is wrong with it.
    let apply: @Sendable (Value, inout BrokerConfiguration) -> String?

    private init(
        _ name: String, _ fallback: Value, _ summary: String,
        _ apply: @escaping @Sendable (Value, inout BrokerConfiguration) -> String?
    ) {
        (self.name, self.fallback, self.summary, self.apply) = (name, fallback, summary, apply)
    }

    private static func integer(
        _ name: String, _ fallback: Int, _ range: ClosedRange<Int>, _ summary: String,
        _ apply: @escaping @Sendable (Int, inout BrokerConfiguration) -> Void
    ) -> Setting {
        Setting(name, .integer(fallback), summary) { value, configuration in
            guard case .integer(let number) = value, range.contains(number) else {
                return "must be \(range.lowerBound) to \(range.upperBound)"
            }
            apply(number, &configuration)
            return nil
        }
    }

    private static func text(
        _ name: String, _ fallback: String, _ summary: String, only: [String]? = nil,
        _ apply: @escaping @Sendable (String, inout BrokerConfiguration) -> Void
    ) -> Setting {
        Setting(name, .text(fallback), summary) { value, configuration in
            guard case .text(let text) = value, only?.contains(text) ?? true else {
                return "must be \((only ?? []).joined(separator: ", "))"
            }
            apply(text, &configuration)
            return nil
        }
    }

    /// The table of all settings.
    public static let all = [
        integer("port", 7379, 0...65_535, "The RESP port; 0 picks a free one.") { $1.port = $0 },
        text("bind", "127.0.0.1", "The address to listen on; others than loopback need a password.") { $1.bind = $0 },
        text("data", "./martlet-data", "The data directory; it is created.") { $1.dataDirectory = $0 },
        text("password-file", "", "A file whose first line is the password.") {
            $1.passwordFile = $0.isEmpty ? nil : $0
        },
        text("durability", "always", "When a change is answered: always, once it is on the disk.", only: ["always"]) {
            _, _ in
        },
        integer("max-data-mb", 1 << 20, 1...(1 << 24), "The cap of the data file in MiB; past it DISKFULL.") {
            $1.maxBytes = $0 << 20
        },
        integer("max-clients", 10_000, 1...1_000_000, "How many clients may be connected.") { $1.maxClients = $0 },
        text("log-level", "info", "What is logged.", only: Logger.Level.allCases.map(\.rawValue)) {
            $1.logLevel = Logger.Level(rawValue: $0) ?? .info
        },
        text("log-format", "text", "How it is logged.", only: ["text"]) { _, _ in },
        Setting("no-http", .flag(false), "Serve no HTTP. This version has no HTTP gateway.") { _, _ in nil },
    ]
}

extension BrokerConfiguration {
    /// Merges flags, then `MARTLET_` variables, then the JSON file at `file` (or `MARTLET_CONFIG`), then the defaults.
    public static func load(
        flags: [String: Setting.Value], file: String?, environment: [String: String]
    ) async throws(StartError) -> BrokerConfiguration {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(values: values(flags)),
            EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "martlet"),
        ]
        if let file = file ?? environment["MARTLET_CONFIG"] { providers.append(try await read(file)) }
        let defaults = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.name, $0.fallback) })
        providers.append(InMemoryProvider(values: values(defaults)))
        return try configuration(ConfigReader(providers: providers))
    }

    private static func read(_ file: String) async throws(StartError) -> any ConfigProvider {
        do {
            return try await FileProvider<JSONSnapshot>(filePath: FilePath(file))
        } catch {
            throw StartError(EX_CONFIG, "cannot read the configuration file \(file): \(error)")
        }
    }

    private static func configuration(_ reader: ConfigReader) throws(StartError) -> BrokerConfiguration {
        var configuration = BrokerConfiguration()
        for setting in Setting.all {
            let key = ConfigKey([setting.name])
            let value: Setting.Value
            do {
                switch setting.fallback {
                case .integer: value = .integer(try reader.requiredInt(forKey: key))
                case .text: value = .text(try reader.requiredString(forKey: key))
                case .flag: value = .flag(try reader.requiredBool(forKey: key))
                }
            } catch {
                throw StartError(EX_USAGE, "\(setting.name) has a value of the wrong kind: \(error)")
            }
            if let reason = setting.apply(value, &configuration) {
                throw StartError(EX_USAGE, "\(setting.name) \(reason)")
            }
        }
        return configuration
    }

    private static func values(_ settings: [String: Setting.Value]) -> [AbsoluteConfigKey: ConfigValue] {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (name, value) in settings {
            let content: ConfigContent =
                switch value {
                case .integer(let number): .int(number)
                case .text(let text): .string(text)
                case .flag(let flag): .bool(flag)
                }
            values[AbsoluteConfigKey([name])] = ConfigValue(content, isSecret: false)
        }
        return values
    }
}
