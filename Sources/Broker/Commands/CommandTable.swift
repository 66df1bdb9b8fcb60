import MartletProtocol

/// All commands, found by name without allocation: open addressing over packed keywords.
struct CommandTable: Sendable {
    let commands: [Command]
    private var slots: [(keyword: Keyword, index: Int)]
    private let mask: Int

    static let all = CommandTable(
        [
            taskCommands,
            manageCommands,
            listCommands,
            workCommands,
            followCommands,
            workerCommands,
            queueCommands,
            operationCommands,
            bulkCommands,
            cronCommands,
            limitCommands,
            breakerCommands,
            batchCommands,
            connectionCommands,
            pubSubCommands,
            clientCommands,
            serverCommands,
            brokerCommands,
            commandCommands,
            inspectionCommands,
            streamCommands,
            textCommands,
        ].flatMap { $0 })

    init(_ commands: [Command]) {
        self.commands = commands
        var size = 64
        while size < commands.count * 4 { size *= 2 }
        mask = size - 1
        slots = Array(repeating: (.none, -1), count: size)
        for (index, command) in commands.enumerated() {
            insert(Keyword(command.name), index)
            // Some clients cannot send a dot.
            if command.name.contains(".") { insert(Keyword(command.name.filter { $0 != "." }), index) }
        }
    }

    private mutating func insert(_ keyword: Keyword, _ index: Int) {
        precondition(keyword != .none, "a command's name has 1 to 16 bytes")
        var slot = Self.hash(keyword) & mask
        while slots[slot].index >= 0 { slot = (slot + 1) & mask }
        slots[slot] = (keyword, index)
    }

    /// The command named `keyword`, in either spelling.
    subscript(keyword: Keyword) -> Command? {
        var slot = Self.hash(keyword) & mask
        while slots[slot].index >= 0 {
            if slots[slot].keyword == keyword { return commands[slots[slot].index] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private static func hash(_ keyword: Keyword) -> Int {
        let mixed = (keyword.high ^ keyword.low &* 0x9E37_79B9_7F4A_7C15) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: mixed >> 40)
    }
}

extension CommandError {
    /// What Redis says to a name it does not know: with the arguments, each and all of them cut.
    static func unknownCommand(_ request: Request) -> CommandError {
        var arguments = ""
        for index in 1..<max(1, request.count) where arguments.utf8.count < 128 {
            arguments += "'\(request.text(index, limit: 128 - arguments.utf8.count))' "
        }
        return CommandError(
            .error, "unknown command '\(request.text(0))', with args beginning with: \(arguments)")
    }

    static func wrongArity(_ name: String) -> CommandError {
        CommandError(.error, "wrong number of arguments for '\(name.lowercased())' command")
    }
}
