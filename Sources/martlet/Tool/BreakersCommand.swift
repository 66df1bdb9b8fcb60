import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet breakers`: what is not tried for a while after it failed too often.
struct BreakersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "breakers", abstract: "List, set, ask, feed, trip, reset or delete breakers.",
        subcommands: [List.self, Set.self, Allow.self, Report.self, Trip.self, Reset.self, Delete.self],
        defaultSubcommand: List.self)

    struct List: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List breakers. (default)")
        @Argument(help: "Everything about this breaker alone.")
        var name: String?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            if let name {
                door.show(try await door.call("BREAKER.GET", .text(name))) {
                    OutputTable.fields($0, instants: ["opened_at", "retry_at"])
                }
            } else {
                door.show(try await door.call("BREAKER.LIST")) { BreakerTable.text($0.elements ?? []) }
            }
        }
    }

    struct Set: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Set a breaker, or change it.",
            discussion: "martlet breakers set mailer --fails 5 --per 1m --cool 30s")
        @Argument(help: "The breaker's name.")
        var name: String
        @Option(help: "So many failures …")
        var fails: Int
        @Option(help: "… in a span of this length open it.")
        var per: SpanArgument
        @Option(help: "So long it stays open.")
        var cool: SpanArgument
        @Option(help: "So many are let through then, to see how they fare.")
        var probes = 1
        @Option(help: "A kind of failure that counts; may be given several times. (default: all)")
        var kind: [String] = []
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("BREAKER.SET", .text(name), "FAILS", .integer(Int64(fails)))
            command.append("PER", .integer(per.milliseconds))
            command.append("COOL", .integer(cool.milliseconds))
            command.append("PROBES", .integer(Int64(probes)))
            if !kind.isEmpty { command.append("KINDS", .integer(Int64(kind.count))) }
            for kind in kind { command.append(.text(kind)) }
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Allow: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "allow",
            abstract: "Ask whether something may be tried now; ends with 75 when not. Report how it went.")
        @Argument(help: "The breaker's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            let reply = try await door.call("BREAKER.ALLOW", .text(name), "REQ", .text(Door.nonce()))
            door.show(reply) { $0["state"]?.cell ?? "-" }
            guard reply["allowed"]?.boolean == true else {
                throw ToolError(EX_TEMPFAIL, "breaker \(name) lets nothing through now")
            }
        }
    }

    struct Report: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "report", abstract: "Tell a breaker how something went: ok or fail.")
        @Argument(help: "The breaker's name.")
        var name: String
        @Argument(help: "ok or fail.")
        var outcome: Outcome
        @OptionGroup var broker: BrokerOptions

        /// How it went.
        enum Outcome: String, ExpressibleByArgument { case ok, fail }

        func run(_ door: Door) async throws(ToolError) {
            let word = outcome.rawValue.uppercased()
            door.show(try await door.call("BREAKER.REPORT", .text(name), .text(word), "REQ", .text(Door.nonce()))) {
                $0.cell
            }
        }
    }

    struct Trip: BrokerCommand {
        static let configuration = CommandConfiguration(commandName: "trip", abstract: "Open a breaker now.")
        @Argument(help: "The breaker's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("BREAKER.TRIP", .text(name))) { $0.cell }
        }
    }

    struct Reset: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset", abstract: "Close a breaker and forget its failures.")
        @Argument(help: "The breaker's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("BREAKER.RESET", .text(name))) { $0.cell }
        }
    }

    struct Delete: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a breaker; what it held back goes on.")
        @Argument(help: "The breaker's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("BREAKER.DEL", .text(name))) { $0.cell }
        }
    }
}

/// Breakers as people look at them in lists.
enum BreakerTable {
    static func text(_ breakers: [RESPValue]) -> String {
        guard !breakers.isEmpty else { return "no breakers" }
        var table = OutputTable(["NAME", "STATE", "FAILURES", "OPENS AT", "COOL", "PROBES", "OPENED", "RETRY", "KINDS"])
        for breaker in breakers {
            let field = { (name: String) in breaker[name]?.cell ?? "-" }
            let span = { (name: String) in TimeText.exactSpan(breaker[name]?.integer ?? 0) }
            let kinds = field("kinds")
            table.add([
                field("name"), field("state"), field("failures"), "\(field("fails")) in \(span("per"))",
                span("cool"), field("probes"), TimeText.relative(breaker["opened_at"]),
                TimeText.relative(breaker["retry_at"]), kinds.isEmpty ? "all" : kinds,
            ])
        }
        return table.text
    }
}
