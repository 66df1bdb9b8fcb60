/// `docs/commands.md`: every row of the command table.
public enum CommandReference {
    /// The whole file.
    public static var document: String {
        let groups: [(name: String, title: String)] = [
            ("task", "Tasks"), ("worker", "Workers"), ("queue", "Queues"), ("dlq", "Dead letters"),
            ("inspection", "Inspection"), ("connection", "Connections"), ("server", "The process"),
        ]
        let rows = CommandTable.all.commands
        let others = Set(rows.map(\.group)).subtracting(groups.map(\.name)).sorted().map { (name: $0, title: $0) }
        var text = introduction
        for group in groups + others {
            let members = rows.filter { $0.group == group.name }.sorted { $0.name < $1.name }
            guard !members.isEmpty else { continue }
            text += "\n## \(group.title)\n" + members.map(section).joined()
        }
        return text
    }

    private static let introduction = """
        # Commands

        Made from the command table; `tools/docs` writes it anew, and a test fails when it is stale. `TASKADD` is taken
        for `TASK.ADD`. Options stand in any order behind the other arguments, each at most once. Times are
        milliseconds. What they mean together is the wire contract's business; what is refused past which size stands
        in [limits.md](limits.md).

        """

    private static func section(_ command: Command) -> String {
        let flags = CommandFlags.names.filter { command.flags.contains($0.0) }.map(\.1)
        let usage = command.usage.isEmpty ? command.name : "\(command.name) \(command.usage)"
        var lines = ["", "### \(command.name)", "", "    \(usage)", "", command.summary, ""]
        lines.append("- Reply: \(command.reply)")
        lines.append("- Since \(command.since)\(flags.isEmpty ? "" : "; flags: \(flags.joined(separator: ", "))")")
        return lines.joined(separator: "\n") + "\n"
    }
}
