import ArgumentParser
import Glibc

/// The one executable.
@main
struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet", abstract: "A task broker in one process.", version: "martlet 0.1.0",
        subcommands: [
            ServeCommand.self, AddCommand.self, TasksCommand.self, TaskCommand.self, QueuesCommand.self,
            DLQCommand.self, CronCommand.self, LimitsCommand.self, BreakersCommand.self, BatchCommand.self,
            WorkersCommand.self, StatsCommand.self, TopCommand.self, CheckCommand.self, SnapshotCommand.self,
            ReadOnlyCommand.self, EventsCommand.self, BulkCommand.self, OperationsCommand.self, ResetCommand.self,
            InjectCommand.self, BenchCommand.self,
        ])

    /// Says what is wrong with the arguments in one line; the parser by itself would print its usage, too.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let isSaid = error is ExitCode
            guard exitCode(for: error) == .validationFailure, !isSaid else { exit(withError: error) }
            writeLine("martlet: \(message(for: error))", to: STDERR_FILENO)
            exit(withError: ExitCode.validationFailure)
        }
    }
}
