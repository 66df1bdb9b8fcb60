import MartletProtocol

/// Those who wait for tasks to end, by TASK.WAIT, and the connections they wait on.
///
/// The first `ownLines` waiters have a connection of their own, on which the end is told at once. Any more share one:
/// it asks about all of them in one command that returns after `round` at the latest, so they hear that much later.
actor Waiters {
    static let ownLines = 15
    static let round = Duration.milliseconds(200)
    /// Tasks of one command on the shared connection.
    static let mostAtOnce = 1_000
    /// How long one command on a connection of its own waits.
    static let patience = Duration.seconds(30)

    private struct Waiter {
        var id: TaskID
        var end: ContinuousClock.Instant?
        var continuation: CheckedContinuation<Result<EndReport, MartletError>, Never>
    }

    private let connect: @Sendable () -> Link
    private var idle: [Link] = []
    private var lines: [Link] = []
    private var sharing: [UInt64: Waiter] = [:]
    private var lastNumber: UInt64 = 0
    private var shared: Task<Void, Never>?
    private var isClosed = false

    init(_ connect: @escaping @Sendable () -> Link) { self.connect = connect }

    /// Waits until the task has ended. A broker that is away is waited for.
    ///
    /// - Throws: `refused` with NOTASK, `timedOut`, `cancelled`, `closed`.
    func end(of id: TaskID, by end: ContinuousClock.Instant?) async throws(MartletError) -> EndReport {
        guard !isClosed else { throw .closed }
        guard let line = takeLine() else { return try await share(id, end) }
        let waiting: Result<EndReport, MartletError> = await withTaskCancellationHandler {
            await Self.ask(line, id, end)
        } onCancel: {
            line.end()
        }
        if Task.isCancelled { await discard(line) } else { giveBack(line) }
        if Task.isCancelled, case .failure(.closed) = waiting { throw .cancelled }
        return try waiting.get()
    }

    /// Ends all waits with `closed`.
    func close() async {
        isClosed = true
        shared?.cancel()
        for waiter in sharing.values { waiter.continuation.resume(returning: .failure(.closed)) }
        sharing = [:]
        let all = lines
        (lines, idle) = ([], [])
        for line in all { await line.close() }
    }
}

// MARK: - A connection of one's own

extension Waiters {
    private func takeLine() -> Link? {
        if let line = idle.popLast() { return line }
        guard lines.count < Self.ownLines else { return nil }
        let line = connect()
        lines.append(line)
        return line
    }

    private func giveBack(_ line: Link) { if !isClosed { idle.append(line) } }

    private func discard(_ line: Link) async {
        lines.removeAll { $0 === line }
        await line.close()
    }

    private static func ask(
        _ line: Link, _ id: TaskID, _ end: ContinuousClock.Instant?
    ) async -> Result<EndReport, MartletError> {
        while true {
            let left = end.map { $0 - .now } ?? patience
            guard left > .zero else { return .failure(.timedOut("task \(id)")) }
            do throws(MartletError) {
                let reports = try await reports([id], block: min(left, patience), on: line)
                if let report = reports.first, report.hasEnded { return .success(report) }
            } catch .timedOut {
                continue
            } catch {
                return .failure(error)
            }
        }
    }

    private static func reports(
        _ ids: [TaskID], block: Duration, on line: Link
    ) async throws(MartletError) -> [EndReport] {
        // BLOCK 0 would be for ever.
        let milliseconds = max(block.wholeMilliseconds, 1)
        let reply = try await line.send(
            Commands.wait(ids, block: milliseconds), blocking: .milliseconds(milliseconds))
        guard let rows = reply.elements, rows.count == ids.count else {
            throw .decoding("TASK.WAIT did not answer for each task")
        }
        var reports: [EndReport] = []
        for row in rows { reports.append(EndReport(row)) }
        return reports
    }
}

// MARK: - The shared connection

extension Waiters {
    private func share(_ id: TaskID, _ end: ContinuousClock.Instant?) async throws(MartletError) -> EndReport {
        lastNumber += 1
        let number = lastNumber
        let result: Result<EndReport, MartletError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(returning: .failure(.cancelled)) }
                sharing[number] = Waiter(id: id, end: end, continuation: continuation)
                // Ends with the last waiter, or in `close()`.
                if shared == nil { shared = Task { await self.serve() } }
            }
        } onCancel: {
            // Awaited by nobody: it only takes out this waiter.
            Task { await self.tell(number, .failure(.cancelled)) }
        }
        return try result.get()
    }

    private func tell(_ number: UInt64, _ result: Result<EndReport, MartletError>) {
        sharing.removeValue(forKey: number)?.continuation.resume(returning: result)
    }

    private func serve() async {
        let line = connect()
        var position: UInt64 = 0
        while !sharing.isEmpty, !Task.isCancelled {
            var numbers = sharing.keys.filter { $0 > position }.sorted().prefix(Self.mostAtOnce)
            if numbers.isEmpty { numbers = sharing.keys.sorted().prefix(Self.mostAtOnce) }
            position = numbers.count < Self.mostAtOnce ? 0 : numbers.last ?? 0
            await ask(Array(numbers), on: line)
        }
        shared = nil
        await line.close()
    }

    private func ask(_ numbers: [UInt64], on line: Link) async {
        let asked = numbers.compactMap { number in sharing[number].map { (number, $0.id) } }
        do throws(MartletError) {
            let reports = try await Self.reports(asked.map(\.1), block: Self.round, on: line)
            for ((number, _), report) in zip(asked, reports) where report.hasEnded { tell(number, .success(report)) }
        } catch .timedOut {
            // The broker is away; those without a limit go on waiting.
        } catch {
            for (number, _) in asked { tell(number, .failure(error)) }
        }
        let now = ContinuousClock.now
        for (number, id) in asked where sharing[number]?.end.map({ $0 <= now }) == true {
            tell(number, .failure(.timedOut("task \(id)")))
        }
    }
}

/// How a task ended, as TASK.WAIT tells it.
struct EndReport: Sendable {
    /// `nil`: the broker does not know it.
    var state: TaskState?
    var result: Bytes?
    var error: String?

    init(_ value: RESPValue) {
        state = ReplyFields.state(value["state"])
        result = value["result"]?.bytes
        error = value["error"]?.text
    }

    /// Also when there is no such task: nothing more will come.
    var hasEnded: Bool { state?.isEnded ?? true }
}
