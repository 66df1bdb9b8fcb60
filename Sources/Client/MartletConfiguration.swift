/// Where the broker is, and how patient to be with it.
public struct MartletConfiguration: Sendable {
    /// A name or an address.
    public var host: String
    /// 1…65535.
    public var port: Int
    /// Sent with `HELLO … AUTH default`; `nil`: none.
    public var password: String?
    /// How long a command may take in all, reconnects included. Time spent in `BLOCK` is added.
    public var commandTimeout: Duration = .seconds(30)
    /// How long one attempt to connect may take.
    public var connectTimeout: Duration = .seconds(5)
    /// A connection that owes an answer and is silent for so long is cut and made anew. The broker sends a sign of life
    /// every two seconds while a call is blocked.
    public var silence: Duration = .seconds(10)
    /// The first pause before connecting again; it doubles up to `reconnectCap`, and half of it is random.
    public var reconnectBase: Duration = .milliseconds(20)
    /// The longest such pause.
    public var reconnectCap: Duration = .seconds(2)
    /// Most commands in flight or waiting for a connection; one more is refused with `MartletError.overloaded`.
    public var outstandingCommands = 65_536
    /// Most bytes of such commands.
    public var outstandingBytes = 256 * 1024 * 1024
    /// For tools at a terminal: a connection that cannot be made, or is lost, fails what waits instead of being made
    /// again.
    package var failsFast = false

    /// A broker without TLS; everything else is set afterwards.
    public init(host: String = "127.0.0.1", port: Int = 7379, password: String? = nil) {
        self.host = host
        self.port = port
        self.password = password
    }
}

extension MartletConfiguration {
    /// Reads `martlet://[:password@]host[:port]`; `redis://` is accepted too. `nil` if it is not one of these.
    public init?(url: String) {
        guard let scheme = ["martlet://", "redis://"].first(where: { url.hasPrefix($0) }) else { return nil }
        var rest = url.dropFirst(scheme.count)
        if let slash = rest.firstIndex(of: "/") { rest = rest[..<slash] }
        self.init()
        if let at = rest.lastIndex(of: "@") {
            let login = rest[..<at]
            guard let colon = login.firstIndex(of: ":") else { return nil }
            password = String(login[login.index(after: colon)...])
            rest = rest[rest.index(after: at)...]
        }
        guard let (host, port) = Self.address(rest) else { return nil }
        self.host = host
        if let port { self.port = port }
    }

    /// Splits `host[:port]` or `[v6]:port`.
    private static func address(_ text: Substring) -> (host: String, port: Int?)? {
        var host = text
        var port: Substring?
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { return nil }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { return nil }
        guard let port else { return (String(host), nil) }
        guard let number = Int(port), (1...65_535).contains(number) else { return nil }
        return (String(host), number)
    }
}
