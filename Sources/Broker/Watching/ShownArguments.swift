import MartletProtocol

/// A command as it is shown to those who watch: cut, and without passwords.
enum ShownArguments {
    /// Arguments that are shown.
    static let most = 32
    /// Bytes of an argument that are shown.
    static let longest = 128

    /// The arguments of a request, the name first.
    static func of(_ request: Request, _ command: Command) -> [Bytes] {
        var shown: [Bytes] = []
        for index in 0..<min(request.count, most) {
            if index > 0, command.flags.contains(.secret) {
                shown.append(Array("(redacted)".utf8))
            } else if index == most - 1, request.count > most {
                shown.append(Array("... (\(request.count - index) more arguments)".utf8))
            } else {
                shown.append(cut(request, index))
            }
        }
        return shown
    }

    private static func cut(_ request: Request, _ index: Int) -> Bytes {
        let length = request.length(index)
        guard length > longest else { return request.bytes(index) }
        return request.bytes(index, first: longest) + Array("... (\(length - longest) more bytes)".utf8)
    }
}
