import FoundationEssentials
import Glibc
import Logging
import MartletBroker
import Testing

@Suite struct SettingsTests {
    @Test func `flags come before variables, variables before the file, the file before the defaults`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "config-\(UUID().uuidString).json")
        try Data(#"{"port": 1, "max-clients": 2, "max-data-mb": 3, "log-level": "debug"}"#.utf8).write(to: file)
        defer { unlink(file.path) }
        let configuration = try await BrokerConfiguration.load(
            flags: ["port": .integer(11)], file: nil,
            environment: [
                "MARTLET_CONFIG": file.path, "MARTLET_PORT": "21", "MARTLET_MAX_CLIENTS": "22",
                "MARTLET_NO_HTTP": "true",
            ])
        #expect(configuration.port == 11 && configuration.maxClients == 22 && configuration.maxBytes == 3 << 20)
        #expect(configuration.logLevel == .debug && configuration.bind == "127.0.0.1")
    }

    @Test(arguments: [
        ["MARTLET_PORT": "x"], ["MARTLET_PORT": "65536"], ["MARTLET_DURABILITY": "everysec"],
        ["MARTLET_LOG_FORMAT": "json"], ["MARTLET_LOG_LEVEL": "loud"], ["MARTLET_MAX_DATA_MB": "0"],
    ])
    func `a wrong value is a usage error that names the setting`(environment: [String: String]) async {
        let error = await #expect(throws: StartError.self) {
            try await BrokerConfiguration.load(flags: [:], file: nil, environment: environment)
        }
        #expect(error?.exitCode == EX_USAGE)
        let name = environment.keys.first?.dropFirst(8).lowercased().split(separator: "_").joined(separator: "-")
        #expect(error?.description.hasPrefix(name ?? "?") == true)
    }

    @Test func `a file that is not there is named`() async {
        let error = await #expect(throws: StartError.self) {
            try await BrokerConfiguration.load(flags: [:], file: "/nowhere/at/all.json", environment: [:])
        }
        #expect(error?.exitCode == EX_CONFIG && error?.description.contains("/nowhere/at/all.json") == true)
    }
}
