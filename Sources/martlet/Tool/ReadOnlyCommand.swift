import ArgumentParser
import MartletProtocol

/// `martlet readonly`: keeps a running broker from changing anything.
struct ReadOnlyCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "readonly", abstract: "Stop all changes in a running broker, or let them happen again.",
        discussion: """
            While it is on, commands that change anything are refused with READONLY, and nothing happens by itself: no \
            lease ends, no cron entry runs. What was due meanwhile happens when it is off. A broker starts with off.
            """)

    /// As it is typed.
    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    @Argument(help: "on or off.")
    var state: Switch
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        door.show(try await door.call("BROKER.READONLY", .text(state.rawValue))) { $0.cell }
    }
}
