import Foundation
import Glibc
import Logging
import MartletBroker
import Testing

@Suite struct SettingsTests {
    private func load(
        flags: [String: String] = [:], json: String? = nil, environment: [String: String] = [:]
    ) throws -> BrokerConfiguration {
        guard let json else { return try BrokerConfiguration.load(flags: flags, file: nil, environment: environment) }
        let file = FileManager.default.temporaryDirectory.appending(path: "config-\(UUID().uuidString).json")
        try Data(json.utf8).write(to: file)
        defer { unlink(file.path) }
        return try BrokerConfiguration.load(flags: flags, file: file.path, environment: environment)
    }

    @Test func `flags come before variables, variables before the file, the file before the profile`() throws {
        let configuration = try load(
            flags: ["port": "11"],
            json: #"{"port": 1, "max-clients": 2, "max-data-mb": 3, "profile": "development", "no-http": true}"#,
            environment: ["MARTLET_PORT": "21", "MARTLET_MAX_CLIENTS": "22", "MARTLET_NO_HTTP": "true"])
        #expect(configuration.port == 11 && configuration.maxClients == 22 && configuration.maxBytes == 3 << 20)
        #expect(configuration.logLevel == .debug && configuration.bind == "127.0.0.1")
        let sources = Dictionary(uniqueKeysWithValues: configuration.settings.map { ($0.setting.name, $0.source) })
        #expect(sources["port"] == .flag && sources["max-clients"] == .variable && sources["max-data-mb"] == .file)
        #expect(sources["log-level"] == .profile && sources["bind"] == .fallback)
    }

    @Test(arguments: [
        ["MARTLET_PORT": "x"], ["MARTLET_PORT": "65536"], ["MARTLET_DURABILITY": "never"],
        ["MARTLET_LOG_FORMAT": "xml"], ["MARTLET_LOG_LEVEL": "loud"], ["MARTLET_MAX_DATA_MB": "0"],
        ["MARTLET_PROFILE": "fast"], ["MARTLET_NO_HTTP": "maybe"],
    ])
    func `a wrong value is a usage error that names the variable`(environment: [String: String]) {
        let error = #expect(throws: StartError.self) {
            try BrokerConfiguration.load(flags: [:], file: nil, environment: environment)
        }
        #expect(error?.exitCode == EX_USAGE)
        #expect(error?.description.hasPrefix("\(environment.keys.first ?? "?") must be ") == true)
    }

    @Test(arguments: [
        (#"{"prot": 1}"#, "'prot'"), (#"{"port": "1"}"#, "port in the configuration file"),
        (#"{"port": 1.5}"#, "must be a JSON object"), ("[]", "must be a JSON object"),
        (#"{"a\u000ab": 1}"#, #"'a\nb'"#),
    ])
    func `what is wrong with a configuration file is named`(json: String, named: String) {
        let error = #expect(throws: StartError.self) { try load(json: json) }
        #expect(error?.exitCode == EX_CONFIG && error?.description.contains(named) == true)
    }

    @Test func `a file that is not there is named`() {
        let error = #expect(throws: StartError.self) {
            try BrokerConfiguration.load(flags: [:], file: "/nowhere/at/all.json", environment: [:])
        }
        #expect(error?.exitCode == EX_CONFIG && error?.description.contains("/nowhere/at/all.json") == true)
    }

    @Test func `the settings that are printed are a configuration file with the same effect`() throws {
        let first = try load(flags: ["data": "a \"b\"\n", "profile": "low-memory", "port": "0", "no-http": "true"])
        let second = try load(json: first.configurationFile)
        #expect(second.configurationFile == first.configurationFile)
        #expect(second.dataDirectory == "a \"b\"\n" && second.outputBytes == first.outputBytes)
        #expect(first.settings.map(\.setting.name) == Setting.all.map(\.name))
    }

    @Test(arguments: Profile.allCases)
    func `a profile sets defaults and an explicit value wins`(profile: Profile) throws {
        let rows = Setting.all.filter { $0.profiles[profile] != nil }
        #expect(!rows.isEmpty)
        let chosen = try load(flags: ["profile": profile.rawValue]).settings.filter { $0.source == .profile }
        #expect(chosen.map(\.setting.name) == rows.map(\.name))
        for row in rows {
            #expect(row.profiles[profile] != row.fallback)
            let flags = ["profile": profile.rawValue, row.name: row.fallback.description]
            let explicit = try load(flags: flags).settings.first { $0.setting.name == row.name }
            #expect(explicit?.value == row.fallback && explicit?.source == .flag)
        }
    }

    @Test func `a broker that is not configured has the defaults of the table`() throws {
        let (plain, loaded) = (BrokerConfiguration(), try load())
        #expect(plain.port == loaded.port && plain.bind == loaded.bind && plain.dataDirectory == loaded.dataDirectory)
        #expect(plain.maxBytes == loaded.maxBytes && plain.maxClients == loaded.maxClients)
        #expect(plain.commitDelayMicroseconds == loaded.commitDelayMicroseconds)
        #expect(plain.idleMilliseconds == loaded.idleMilliseconds && plain.outputBytes == loaded.outputBytes)
        #expect(plain.inputBytes == loaded.inputBytes && plain.logLevel == loaded.logLevel)
        #expect(plain.logFormat == loaded.logFormat && plain.passwordFile == loaded.passwordFile)
    }

    @Test func `the document of settings is the table`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/settings.md"), encoding: .utf8)
        #expect(text.hasSuffix(Setting.document + "\n"), "martlet serve --print-settings prints its tables")
    }
}
