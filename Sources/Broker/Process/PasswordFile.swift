import FoundationEssentials
import Glibc
import Logging
import MartletProtocol

/// Reads the password, so that it stands on no command line.
enum PasswordFile {
    /// The longest password.
    static let longest = 1_024

    /// `nil`: none is configured.
    static func read(_ configuration: BrokerConfiguration, _ logger: Logger) throws(StartError) -> Bytes? {
        guard let path = configuration.passwordFile else { return nil }
        var status = stat()
        if unsafe stat(path, &status) == 0, status.st_mode & 0o077 != 0 {
            logger.warning("others may read the password file", metadata: ["file": "\(path)", "remedy": "chmod 600"])
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartError(EX_NOINPUT, "cannot read the password file \(path)")
        }
        let password = Bytes(data.prefix { $0 != 0x0A && $0 != 0x0D })
        guard !password.isEmpty, password.count <= longest else {
            throw StartError(EX_CONFIG, "the first line of \(path) must be a password of 1 to \(longest) bytes")
        }
        return password
    }
}
