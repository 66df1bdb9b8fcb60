import Logging
import MartletEngine
import MartletProtocol
import MartletStorage

/// The broker as a whole.
let brokerCommands = [
    Command(
        "BROKER.INFO", .exactly(1), [.readonly, .fast], summary: "Tells about the broker at a glance.",
        group: "server", reply: "a map", run: .inspect { (_) throws(CommandError) in .broker }),
    Command(
        "BROKER.CHECK", .exactly(1), [.readonly, .admin, .blocking],
        summary: "Reads all tables while the broker goes on, and says where they disagree. The tool's check repairs.",
        group: "server", reply: "a map of ok and problems, a line each; at most \(BrokerCheck.mostProblems)",
        run: .local(checkBroker)),
    Command(
        "BROKER.SNAPSHOT", .exactly(2), [.readonly, .admin, .blocking], usage: "path",
        summary: "Copies everything that was answered before into a new directory that --data can serve, while the "
            + "broker goes on. It is there whole and durable, or not at all.",
        group: "server", reply: "OK, when it is done", run: .local(snapshotBroker)),
    Command(
        "BROKER.READONLY", .exactly(2), [.admin, .fast], usage: "on | off",
        summary: "While it is on, commands that change anything are refused with READONLY, and nothing happens by "
            + "itself: no lease ends, no cron entry runs. Off again after a start.",
        group: "server", reply: "OK",
        run: .local { (cursor, connection, broker) throws(CommandError) in
            broker.setReadOnly(try cursor.onOrOff())
            connection.output.ok()
        }),
]

private enum BrokerCheck {
    /// Lines that one check tells; how many more there are is the last.
    static let mostProblems = 100
}

@Sendable private func checkBroker(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let now = broker.clock.now
    try broker.study(
        for: connection, { (reader) throws(StorageError) in try LiveCheck.run(reader, now: now) },
        { report, output in
            let shown = report.found.prefix(BrokerCheck.mostProblems)
            output.map(2)
            output.field("ok", flag: report.count == 0)
            output.bulk("problems")
            output.array(shown.count + (report.count > shown.count ? 1 : 0))
            for problem in shown { output.bulk("\(problem.kind.rawValue): \(problem.text)") }
            if report.count > shown.count { output.bulk("and \(report.count - shown.count) more") }
        })
}

private enum BrokerSnapshot {
    /// Bytes of a path.
    static let longestPath = 4_000
}

@Sendable private func snapshotBroker(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let path = try snapshotPath(try cursor.bytes("path"))
    broker.logger.notice("a snapshot is taken", metadata: ["path": "\(path)"])
    try broker.study(
        for: connection, { (reader) throws(StorageError) in try reader.copy(to: path) }, { _, output in output.ok() })
}

/// Where a snapshot is to go; nothing is ever written over.
private func snapshotPath(_ bytes: Bytes) throws(CommandError) -> String {
    guard var path = String(validating: bytes, as: UTF8.self), path.hasPrefix("/"), !bytes.contains(0),
        bytes.count <= BrokerSnapshot.longestPath
    else {
        let most = BrokerSnapshot.longestPath
        throw CommandError(
            .error, "a snapshot's path is absolute, as /var/backups/martlet-1, and has at most \(most) bytes")
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
}
