/// Makes the nonces under which the broker remembers a command.
enum Nonce {
    /// 128 random bits as 32 hexadecimal digits: never the same twice in practice.
    static func random() -> String {
        var random = SystemRandomNumberGenerator()
        return hex(random.next()) + hex(random.next())
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
