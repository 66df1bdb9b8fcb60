import Logging
import MartletStorage

extension Setting {
    /// The table of all settings: flags, variables, keys, defaults, profiles and documentation come from it.
    public static let all: [Setting] = [
        choice(
            "profile", "none", of: ["none"] + Profile.allCases.map(\.rawValue),
            "A set of defaults; what is set explicitly wins."
        ) { _, _ in },
        integer("port", 7379, 0...65_535, "The RESP port; 0 picks a free one.") { $1.port = $0 },
        text("bind", "127.0.0.1", "The address to listen on; others than loopback need a password.") { $1.bind = $0 },
        text("data", "./martlet-data", "The data directory; it is created.") { $1.dataDirectory = $0 },
        text("password-file", "", "A file whose first line is the password.") {
            $1.passwordFile = $0.isEmpty ? nil : $0
        },
        choice(
            "durability", "always", of: ["always", "everysec"],
            "When a change is on the disk: always, before it is answered; everysec, a second later at the latest.",
            [.highThroughput: "everysec"]
        ) { $1.durability = $0 == "everysec" ? .everySecond : .always },
        integer(
            "journal-mb", 8, 0...64, "The journal in front of the data file in MiB; 0: none, every group is a commit.",
            [.lowMemory: 1]
        ) { $1.journalBytes = $0 << 20 },
        integer(
            "commit-delay-us", 0, 0...100_000,
            "How long commands wait for others to share their commit, in microseconds: fewer flushes, later answers."
        ) { $1.commitDelayMicroseconds = Int64($0) },
        integer("max-data-mb", 1 << 20, 1...(1 << 24), "The cap of the data file in MiB; past it DISKFULL.") {
            $1.maxBytes = $0 << 20
        },
        integer("max-clients", 10_000, 1...1_000_000, "How many clients may be connected.") { $1.maxClients = $0 },
        integer(
            "idle-timeout", 0, 0...31_536_000,
            "After how many seconds without a command a client is disconnected, unless it is blocked; 0: never."
        ) {
            $1.idleMilliseconds = Int64($0) * 1_000
        },
        integer(
            "output-limit-mb", 64, 1...65_536,
            "Unread replies of all clients in MiB, past which the worst is dropped; one alone may have a quarter. The "
                + "write that each is receiving counts only past four times as much, 48 at least.",
            [.lowMemory: 4]
        ) { $1.outputBytes = $0 << 20 },
        integer(
            "input-limit-mb", 256, 64...65_536,
            "Unfinished requests of all clients in MiB, past which the largest is dropped.",
            [.lowMemory: 64]
        ) { $1.inputBytes = $0 << 20 },
        choice(
            "events", "on", of: ["on", "off"],
            "Whether the stream @events keeps what happens to tasks; off: what is there stays."
        ) { $1.keepsEvents = $0 == "on" },
        integer(
            "events-max", 100_000, 1_000...100_000_000, "How many entries the stream @events keeps."
        ) { $1.keptEvents = Int64($0) },
        choice(
            "log-level", "info", of: Logger.Level.allCases.map(\.rawValue), "What is logged, at least.",
            [.development: "debug"]
        ) { $1.logLevel = Logger.Level(rawValue: $0) ?? .info },
        choice(
            "log-format", "text", of: LogFormat.allCases.map(\.rawValue), "How it is logged, to standard error.",
            [.production: "json"]
        ) { $1.logFormat = LogFormat(rawValue: $0) ?? .text },
        flag("no-http", "Serve no HTTP. This version has no HTTP gateway.") { _, _ in },
    ]
}
