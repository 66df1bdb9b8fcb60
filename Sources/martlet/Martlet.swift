import ArgumentParser

/// The one executable.
@main
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet", abstract: "A task broker in one process.", version: "martlet 0.1.0",
        subcommands: [ServeCommand.self, BenchCommand.self])
}
