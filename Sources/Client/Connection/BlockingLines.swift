import MartletProtocol

/// Connections for commands that wait at the broker: on the one that calls share it would hold up everything else.
actor BlockingLines {
    /// Calls that wait at a time; one more is refused with `overloaded`.
    static let most = 256
    /// Connections kept for the next call.
    static let mostIdle = 8

    private let connect: @Sendable () -> Link
    private var idle: [Link] = []
    private var lines: [Link] = []
    private var isClosed = false

    init(_ connect: @escaping @Sendable () -> Link) { self.connect = connect }

    /// Sends a command that may wait for `span` at the broker; `nil`: for ever.
    ///
    /// When the Swift task is cancelled the connection is ended, and with it the waiting. An answer that came all the
    /// same is returned: the caller has to look whether it was cancelled, and give back what it got.
    /// - Throws: `cancelled`, `overloaded`, `closed`, and what `Link.send` throws.
    func send(_ command: RESPCommand, blocking span: Duration?) async throws(MartletError) -> RESPValue {
        let line = try takeLine()
        let reply: Result<RESPValue, MartletError> = await withTaskCancellationHandler {
            do throws(MartletError) {
                return .success(try await line.send(command, blocking: span))
            } catch {
                return .failure(error)
            }
        } onCancel: {
            line.end()
        }
        await giveBack(line, reusable: !Task.isCancelled)
        if case .failure(.closed) = reply, Task.isCancelled { throw .cancelled }
        return try reply.get()
    }

    /// Ends all waits with `closed`.
    func close() async {
        isClosed = true
        let all = lines
        (lines, idle) = ([], [])
        for line in all { await line.close() }
    }

    private func takeLine() throws(MartletError) -> Link {
        guard !isClosed else { throw .closed }
        if let line = idle.popLast() { return line }
        guard lines.count < Self.most else { throw .overloaded }
        let line = connect()
        lines.append(line)
        return line
    }

    private func giveBack(_ line: Link, reusable: Bool) async {
        guard !isClosed else { return }
        if reusable, idle.count < Self.mostIdle { return idle.append(line) }
        lines.removeAll { $0 === line }
        await line.close()
    }
}
