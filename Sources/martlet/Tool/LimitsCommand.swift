import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet limits`: what may be done so often, or so much at a time.
struct LimitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits", abstract: "List, set, try, reset or delete limits.",
        subcommands: [List.self, Set.self, Take.self, Give.self, Reset.self, Delete.self], defaultSubcommand: List.self)

    struct List: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List limits. (default)")
        @Argument(help: "Everything about this limit alone.")
        var name: String?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            if let name {
                door.show(try await door.call("LIMIT.GET", .text(name))) { OutputTable.fields($0) }
            } else {
                door.show(try await door.call("LIMIT.LIST")) { LimitTable.text($0.elements ?? []) }
            }
        }
    }

    struct Set: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Set a limit, or change it; it works at once.",
            discussion: "martlet limits set provider --rate 230 --per 10s\nmartlet limits set crawler --slots 8")
        @Argument(help: "The limit's name.")
        var name: String
        @Option(help: "So many …")
        var rate: Int?
        @Option(help: "… in any span of this length.")
        var per: SpanArgument?
        @Option(help: "At most so many at once. (default: as --rate)")
        var burst: Int?
        @Option(help: "Instead of --rate and --per: so many at a time.")
        var slots: Int?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard (rate != nil) == (per != nil), (rate == nil) != (slots == nil), burst == nil || rate != nil else {
                throw .usage("say either --rate and --per, and --burst if you like, or --slots")
            }
            var command = RESPCommand("LIMIT.SET", .text(name))
            if let rate { command.append("RATE", .integer(Int64(rate))) }
            if let per { command.append("PER", .integer(per.milliseconds)) }
            if let burst { command.append("BURST", .integer(Int64(burst))) }
            if let slots { command.append("SLOTS", .integer(Int64(slots))) }
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Take: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "take",
            abstract: "Take of a limit, as before doing something; ends with 75 when there is none.")
        @Argument(help: "The limit's name.")
        var name: String
        @Option(help: "How many.")
        var cost = 1
        @Option(help: "How long to wait for it.")
        var wait: SpanArgument?
        @Option(help: "Of slots: for how long.")
        var hold: SpanArgument?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("LIMIT.TAKE", .text(name), "COST", .integer(Int64(cost)))
            if let hold { command.append("HOLD", .integer(hold.milliseconds)) }
            if let wait { command.append("BLOCK", .integer(max(wait.milliseconds, 1))) }
            command.append("REQ", .text(Door.nonce()))
            let reply = try await door.send(command, blocking: .milliseconds(wait?.milliseconds ?? 0))
            let numbers = (reply.elements ?? []).compactMap(\.integer)
            guard numbers.count >= 5 else { throw ToolError(EX_PROTOCOL, "not the answer of a limit") }
            door.show(Self.named(numbers)) { _ in
                let permit = numbers.count > 5 ? ", permit \(numbers[5])" : ""
                return numbers[0] == 0
                    ? "taken, \(numbers[2]) of \(numbers[1]) left\(permit)"
                    : "not taken, \(numbers[2]) of \(numbers[1]) left; more in \(TimeText.exactSpan(numbers[3]))"
            }
            if numbers[0] != 0 { throw ToolError(EX_TEMPFAIL, "limit \(name) has nothing to give now") }
        }

        private static func named(_ numbers: [Int64]) -> RESPValue {
            let names = ["limited", "limit", "remaining", "retry_after_ms", "reset_ms", "permit"]
            return .map(
                zip(names, numbers).map { name, number in
                    RESPField(.simple(name), name == "limited" ? .boolean(number != 0) : .integer(number))
                })
        }
    }

    struct Give: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "give", abstract: "Give back what limits take --hold printed, before its time is over.")
        @Argument(help: "The limit's name.")
        var name: String
        @Argument(help: "The permit.")
        var permit: Int64
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("LIMIT.GIVE", .text(name), .integer(permit))) { $0.cell }
        }
    }

    struct Reset: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset", abstract: "Make a limit as if nothing had been taken.")
        @Argument(help: "The limit's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("LIMIT.RESET", .text(name))) { $0.cell }
        }
    }

    struct Delete: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a limit; who waits for it is told so.")
        @Argument(help: "The limit's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("LIMIT.DEL", .text(name))) { $0.cell }
        }
    }
}

/// Limits as people look at them in lists.
enum LimitTable {
    static func text(_ limits: [RESPValue]) -> String {
        guard !limits.isEmpty else { return "no limits" }
        var table = OutputTable(["NAME", "LIMIT", "AVAILABLE", "WAITING", "GRANTED", "REFUSED", "USED"])
        for limit in limits {
            let field = { (name: String) in limit[name]?.cell ?? "-" }
            let used = Double(field("utilisation")) ?? 0
            table.add([
                field("name"), rule(limit), field("available"), field("waiting"), field("granted"),
                field("refused"), "\(Int((used * 100).rounded())) %",
            ])
        }
        return table.text
    }

    private static func rule(_ limit: RESPValue) -> String {
        if let slots = limit["slots"]?.integer { return "\(slots) slots" }
        let (rate, burst) = (limit["rate"]?.integer ?? 0, limit["burst"]?.integer ?? 0)
        let span = TimeText.exactSpan(limit["per"]?.integer ?? 0)
        return "\(rate) in \(span)" + (burst == rate ? "" : ", burst \(burst)")
    }
}
