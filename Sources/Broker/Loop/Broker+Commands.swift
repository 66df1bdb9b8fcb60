import Logging
import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore

/// A command that was found and may be run, with its arguments. It is not yet passed.
struct Call {
    let command: Command
    var cursor: ArgumentCursor
    /// Bytes of the request.
    let size: Int
}

/// One command: found, checked, run, answered.
extension Broker {
    /// The next command of `connection` that is to be run, not yet passed. Those that cannot be run are answered here.
    func next(_ connection: Connection, _ now: Timestamp) -> Call? {
        while connection.canRun {
            switch connection.inbound.next() {
            case .incomplete: return nil
            case .invalid(let violation):
                connection.output.error(violation.message)
                connection.isClosing = true
                statistics.protocolErrors += 1
                return nil
            case .tooBig:
                connection.output.error(Self.tooBig)
                done(connection)
            case .request(let request, let size):
                do throws(CommandError) {
                    let command = try find(request, connection)
                    (connection.lastCommand, connection.lastActive) = (command, now)
                    return Call(command: command, cursor: ArgumentCursor(request), size: size)
                } catch {
                    refuse(error, connection)
                    done(connection)
                }
            }
        }
        if connection.isFull { connection.mayHaveCommands = true }
        return nil
    }

    private static let tooBig = CommandError(
        .tooBig, "a payload or a result has at most \(Limits.payload) bytes, a request at most \(32 << 20)")

    private func find(_ request: Request, _ connection: Connection) throws(CommandError) -> Command {
        let keyword = request.keyword(0)
        guard let command = table[keyword] else {
            // Somebody's browser: what follows is no RESP, and may have been made by a hostile page.
            if keyword == Self.post || keyword == Self.host { connection.isClosing = true }
            throw .unknownCommand(request)
        }
        guard command.arity.contains(request.count) else { throw .wrongArity(command.name) }
        guard connection.isAuthenticated || command.flags.contains(.noAuth) else {
            throw CommandError(.noAuth, "Authentication required.")
        }
        guard !connection.isListening || command.flags.contains(.whileSubscribed) else {
            throw CommandError(
                .error,
                "Can't execute '\(command.name.lowercased())': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / "
                    + "RESET are allowed in this context")
        }
        return command
    }

    private static let post = Keyword("POST")
    private static let host = Keyword("HOST:")

    func needs(_ command: Command) -> Connection.Need {
        switch command.run {
        case .local: .nothing
        case .inspect: .reading
        // What is due for the task happens before anybody looks at it.
        case .read: group.mayBeDue ? .writing : .reading
        case .write: .writing
        }
    }

    /// The command just run is passed.
    func done(_ connection: Connection) {
        connection.inbound.pass()
        connection.servedIn = group.number
        countReplies(connection)
        statistics.commands += 1
    }

    /// Counts what was written to `connection` since it was counted last; small replies together.
    func countReplies(_ connection: Connection) {
        let bytes = connection.output.bytes.count - connection.countedOutput
        guard bytes >= GroupLimits.countedAtOnce else { return }
        connection.countedOutput += bytes
        group.replies += bytes
        flusher.unsent += bytes
    }

    func runLocal(
        _ run: @Sendable (inout ArgumentCursor, Connection, Broker) throws(CommandError) -> Void,
        _ call: inout Call, _ connection: Connection
    ) {
        group.commands += 1
        do throws(CommandError) {
            try run(&call.cursor, connection, self)
        } catch {
            refuse(error, connection)
        }
        if !monitors.isEmpty { monitor(call, connection) }
        done(connection)
    }

    /// Runs a command that changes nothing. A failure is answered: there is nothing to undo.
    func read<A>(
        _ call: inout Call, _ connection: Connection, _ engine: borrowing Engine, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) {
        // A pipeline of slow looks must not hold up everybody else.
        group.commands += call.command.flags.contains(.fast) ? 1 : GroupLimits.slowCommand
        let end = connection.output.bytes.count
        do {
            switch call.command.run {
            case .read(let parse):
                let operation = try parse(&call.cursor, connection)
                connection.output.answer(try engine.answer(operation, now: now, in: transaction))
            case .inspect(let parse):
                let inspection = try parse(&call.cursor)
                if case .stream(.read(let read)) = inspection {
                    try follow(read, connection, engine, now, transaction)
                } else {
                    try inspect(inspection, &connection.output, engine, now, transaction)
                }
            case .local, .write: preconditionFailure("\(call.command.name) does not read")
            }
        } catch let error as StorageError {
            connection.output.cut(to: end)
            refuse(gate.failure(error), connection)
        } catch let error as CommandError {
            refuse(error, connection)
        } catch {
            refuse(CommandError(.error, "\(error)"), connection)
        }
        observe(call, connection)
        done(connection)
    }

    /// Runs a command inside the group. A refusal is its answer; a storage failure ends the group.
    func write(
        _ call: inout Call, _ connection: Connection, _ engine: inout Engine, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        group.commands += 1
        group.bytes += call.size
        let operation: Operation
        do throws(CommandError) {
            if let refusal = gate.refusal(call.command.flags, now) { throw refusal }
            operation = try self.operation(&call, connection)
            if let refusal = gate.refusal(operation.flags(call.command), now) { throw refusal }
        } catch {
            refuse(error, connection)
            return done(connection)
        }
        let answer = try engine.apply(operation, now: now, in: transaction)
        put(answer, connection)
        observe(call, connection)
        done(connection)
    }

    func operation(_ call: inout Call, _ connection: Connection) throws(CommandError) -> Operation {
        switch call.command.run {
        case .read(let parse), .write(let parse): return try parse(&call.cursor, connection)
        case .local, .inspect: preconditionFailure("\(call.command.name) has no operation")
        }
    }

    /// Whether an operation that ran out of room may use what is kept for finishing the work in hand.
    func finishesWork(_ call: Call, _ connection: Connection) -> Bool {
        var call = call
        do throws(CommandError) {
            let flags = try operation(&call, connection).flags(call.command)
            return flags.isDisjoint(with: [.denyOutOfMemory, .handsOut])
        } catch {
            return false
        }
    }

    /// Answers with the error; whoever develops against the broker reads it in the log, too.
    func refuse(_ error: CommandError, _ connection: Connection) {
        statistics.refused += 1
        logger.debug("a command was refused", metadata: ["address": "\(connection.address)", "reason": "\(error)"])
        connection.output.error(error)
    }

    /// Writes an answer, or blocks the caller.
    func put(_ answer: Answer, _ connection: Connection) {
        switch answer {
        case .blocked: block(connection)
        case .refused(let error): return refuse(error, connection)
        case .handedOut(let tasks):
            for task in tasks { connection.handOuts.append((task.id, task.token)) }
        default: break
        }
        connection.output.answer(answer)
    }

    /// A blocked call is over; what the connection sent after it may be run.
    func unblock(_ connection: Connection) {
        connection.blocked = nil
        connection.lastActive = clock.now
        connection.mayHaveCommands = true
    }

    func block(_ connection: Connection) {
        let interval = connection.keepaliveInterval
        let due = interval.map { min(clock.now + $0, .max - 1) } ?? .max
        connection.blocked = Connection.Blocked(keepalive: interval, nextPush: due)
        guard interval != nil else { return }
        keptAlive[connection.id] = connection
        nextPush = min(nextPush, due)
    }
}

extension Operation {
    /// The flags of its command; an acknowledgement that adds tasks needs room as an ADD does.
    fileprivate func flags(_ command: Command) -> CommandFlags {
        guard case .acknowledge(let request) = self, !request.children.isEmpty else { return command.flags }
        return command.flags.union(.denyOutOfMemory)
    }
}
