import ArgumentParser
import FoundationEssentials
import Glibc
import MartletClient

/// Where the broker is, and how answers are printed: options of every command that talks to one.
struct BrokerOptions: ParsableArguments {
    @Option(help: "The broker as martlet://[:password@]host[:port]; MARTLET_URL names it too.")
    var url: String?
    @Option(help: "Its host. (default: 127.0.0.1)")
    var host: String?
    @Option(help: "Its RESP port; MARTLET_PORT names it too. (default: 7379)")
    var port: Int?
    @Option(help: "A file whose first line is the password; MARTLET_PASSWORD_FILE names it too.")
    var passwordFile: String?
    @Flag(help: "Print JSON.")
    var json = false

    /// Whether an option says where the broker is, or how to get in.
    var namesPlace: Bool { url != nil || host != nil || port != nil || passwordFile != nil }

    /// The options and variables as the client needs them.
    func configuration() throws(ToolError) -> MartletConfiguration {
        let environment = ProcessInfo.processInfo.environment
        var configuration = MartletConfiguration()
        if let url = url ?? environment["MARTLET_URL"] {
            guard let parsed = MartletConfiguration(url: url) else {
                throw .usage("--url must look like martlet://host:7379")
            }
            configuration = parsed
        } else if let text = environment["MARTLET_PORT"], let number = Int(text) {
            configuration.port = number
        }
        if let host { configuration.host = host }
        if let port { configuration.port = port }
        guard (1...65_535).contains(configuration.port) else { throw .usage("--port must be 1 to 65535") }
        if let file = passwordFile ?? environment["MARTLET_PASSWORD_FILE"], !file.isEmpty {
            configuration.password = try Self.password(file)
        }
        configuration.commandTimeout = .seconds(60)
        configuration.failsFast = true
        return configuration
    }

    private static func password(_ file: String) throws(ToolError) -> String {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw ToolError(EX_NOINPUT, "cannot read the password file \(file)")
        }
        return String(text.prefix { !$0.isNewline })
    }
}
