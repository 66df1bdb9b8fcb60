import Crypto
import FoundationEssentials
import MartletProtocol

/// A password, kept as a salted hash only.
struct PasswordHash {
    private let salt: Bytes
    private let hash: Bytes

    init(_ password: Bytes) {
        var random = SystemRandomNumberGenerator()
        salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        hash = Self.hash(password, salt)
    }

    /// Takes the same time whatever `password` is.
    func matches(_ password: Bytes) -> Bool {
        let other = Self.hash(password, salt)
        var difference: UInt8 = 0
        for index in hash.indices { difference |= hash[index] ^ other[index] }
        return difference == 0
    }

    private static func hash(_ password: Bytes, _ salt: Bytes) -> Bytes { Array(SHA256.hash(data: salt + password)) }
}
