import ArgumentParser
import Glibc
import MartletBroker
import MartletClient
import MartletProtocol

/// A command that talks to a broker.
protocol BrokerCommand: AsyncParsableCommand {
    var broker: BrokerOptions { get }
    /// Does it; prints what is to be printed.
    func run(_ door: Door) async throws(ToolError)
}

extension BrokerCommand {
    mutating func run() async throws { try await talk() }

    /// Opens the door and does it; says what went wrong, and ends with the exit code for that.
    func talk() async throws {
        do throws(ToolError) {
            let door = try Door(broker)
            try await run(door)
            await door.client.close()
        } catch {
            writeLine("martlet \(Self.spokenName): \(LogText.escaped(error.description))", to: STDERR_FILENO)
            throw ExitCode(error.exitCode)
        }
    }
}

extension BrokerCommand {
    /// As it is typed: `task retry`.
    private static var spokenName: String {
        let group = "\(Self.self)" == "Show" || "\(Self.self)" == "List" ? nil : _commandName
        let outer = String(reflecting: Self.self).split(separator: ".").dropFirst().first ?? ""
        guard outer.hasSuffix("Command"), "\(Self.self)" != outer else { return _commandName }
        return ([outer.dropLast("Command".count).lowercased()] + (group.map { [$0] } ?? [])).joined(separator: " ")
    }
}

/// The way to a broker, and to standard output.
struct Door {
    let client: MartletClient
    let place: String
    /// Whether the broker is where the tool is, as far as its address tells.
    let isOnThisMachine: Bool
    let json: Bool

    init(_ options: BrokerOptions) throws(ToolError) {
        let configuration = try options.configuration()
        client = MartletClient(configuration)
        place = "\(configuration.host):\(configuration.port)"
        isOnThisMachine = ["localhost", "::1"].contains(configuration.host) || configuration.host.hasPrefix("127.")
        json = options.json
    }

    /// Sends a command and returns its reply.
    func call(_ name: String, _ arguments: RESPCommand.Argument...) async throws(ToolError) -> RESPValue {
        var command = RESPCommand(name)
        for argument in arguments { command.append(argument) }
        return try await send(command)
    }

    /// - Parameter blocking: how long the command itself may wait at the broker; `nil`: for ever.
    func send(_ command: RESPCommand, blocking: Duration? = .zero) async throws(ToolError) -> RESPValue {
        do throws(MartletError) {
            return try await client.send(command, blocking: blocking)
        } catch {
            throw ToolError(error, place: place)
        }
    }

    /// The same, but what the broker refuses is `nil`.
    func optional(_ name: String, _ arguments: RESPCommand.Argument...) async throws(ToolError) -> RESPValue? {
        var command = RESPCommand(name)
        for argument in arguments { command.append(argument) }
        do throws(MartletError) {
            return try await client.send(command)
        } catch {
            if case .refused = error { return nil }
            throw ToolError(error, place: place)
        }
    }

    /// Prints a reply as JSON, or as `text` says.
    func show(_ reply: RESPValue, as text: (RESPValue) -> String) {
        print(json ? reply.json : text(reply))
    }
}
