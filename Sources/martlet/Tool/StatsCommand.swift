import ArgumentParser
import MartletProtocol

/// `martlet stats`: the broker's figures; also a health check, as it fails when the broker does not answer.
struct StatsCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show the broker's figures; fails when it does not answer.")

    @Argument(help: "Only these sections: server, clients, memory, stats, tasks, storage …")
    var sections: [String] = []
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        var command = RESPCommand("INFO")
        for section in sections { command.append(.text(section)) }
        let information = Information(try await door.send(command).text ?? "")
        print(door.json ? information.json.json : information.text)
    }
}

/// INFO's text, taken apart.
struct Information {
    private(set) var sections: [(name: String, lines: [(name: String, value: String)])] = []

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("# ") {
                sections.append((line.dropFirst(2).lowercased(), []))
            } else if let colon = line.firstIndex(of: ":"), !sections.isEmpty {
                let pair = (name: String(line[..<colon]), value: String(line[line.index(after: colon)...]))
                sections[sections.count - 1].lines.append(pair)
            }
        }
    }

    subscript(section: String, name: String) -> String? {
        sections.first { $0.name == section }?.lines.first { $0.name == name }?.value
    }

    var json: RESPValue {
        .map(
            sections.map { section in
                let fields = section.lines.map { line in
                    RESPField(.simple(line.name), Int64(line.value).map { .integer($0) } ?? .simple(line.value))
                }
                return RESPField(.simple(section.name), .map(fields))
            })
    }

    var text: String {
        sections.filter { !$0.lines.isEmpty }.map { section in
            "\(section.name.uppercased())\n\(OutputTable.fields(section.lines))"
        }.joined(separator: "\n\n")
    }
}
