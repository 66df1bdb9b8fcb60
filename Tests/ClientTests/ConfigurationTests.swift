import MartletClient
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConfigurationTests {
    @Test(
        arguments: [
            ("martlet://broker", "broker", 7379, nil), ("redis://10.0.0.1:6379/0", "10.0.0.1", 6379, nil),
            ("martlet://:se:cret@b:1", "b", 1, "se:cret"), ("martlet://default:p@b", "b", 7379, "p"),
            ("martlet://[::1]:65535", "::1", 65_535, nil), ("martlet://[::1]", "::1", 7379, nil),
        ] as [(String, String, Int, String?)])
    func aURLNamesHostPortAndPassword(url: String, host: String, port: Int, password: String?) throws {
        let configuration = try #require(MartletConfiguration(url: url))
        #expect(configuration.host == host && configuration.port == port && configuration.password == password)
    }

    @Test(arguments: [
        "broker:7379", "http://b", "martlet://", "martlet://b:0", "martlet://b:65536", "martlet://b:x",
        "martlet://user@b", "martlet://[::1]x",
    ])
    func whatIsNoURLOfABrokerIsRefused(url: String) {
        #expect(MartletConfiguration(url: url) == nil)
    }
}
