import ArgumentParser
import Foundation
import Logging
import MartletClient

/// `summarizer submit`: sends documents; with `--wait` follows them to their end.
struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "submit", abstract: "Submits text files.")

    @OptionGroup var options: BrokerOptions

    @Argument(help: "Text or Markdown files.")
    var files: [String] = []

    @Option(help: "Documents to make up in addition, with mixed priorities and delays.")
    var generated = 0

    @Flag(help: "Make some of the generated documents fail at their first attempt, and a few always.")
    var plantFailures = false

    @Option(help: "Seed of the generated documents.")
    var seed: UInt64 = 1

    @Option(help: "Sentences of a summary.")
    var sentences = 3

    @Flag(help: "Wait for the summaries and print them as they come.")
    var wait = false

    func validate() throws {
        guard (0...100_000).contains(generated) else { throw ValidationError("--generated must be 0 to 100000") }
        guard (1...100).contains(sentences) else { throw ValidationError("--sentences must be 1 to 100") }
        guard !files.isEmpty || generated > 0 else { throw ValidationError("nothing to submit") }
    }

    func run() async throws {
        var documents: [(Summarize.Payload, TaskOptions)] = []
        for file in files { documents.append(try read(file)) }
        documents += made()
        let client = MartletClient(options.broker, logger: BrokerOptions.logger("summarizer.submit"))
        var handles: [TaskHandle<Summarize.Output>] = []
        for (payload, taskOptions) in documents {
            handles.append(
                try await client.enqueue(payload, as: Summarize.self, queue: options.queue, options: taskOptions))
        }
        guard wait else {
            for handle in handles { print(handle.id) }
            return await client.close()
        }
        let tally = await Follower(handles).follow()
        await client.close()
        print(tally)
        if tally.lost > 0 { throw ExitCode.failure }
    }

    private func read(_ file: String) throws -> (Summarize.Payload, TaskOptions) {
        guard let data = try? Data(contentsOf: URL(filePath: file)) else {
            throw ValidationError("cannot read \(file)")
        }
        let text = String(decoding: data, as: UTF8.self)
        var taskOptions = TaskOptions()
        taskOptions.priority = 7
        return (Summarize.Payload(title: file, text: text, sentences: sentences, planted: nil), taskOptions)
    }

    private func made() -> [(Summarize.Payload, TaskOptions)] {
        var documents = GeneratedDocuments(seed: seed)
        return (0..<generated).map { number in
            let (title, text) = documents.next(number: number + 1)
            var payload = Summarize.Payload(title: title, text: text, sentences: sentences, planted: nil)
            var taskOptions = TaskOptions()
            taskOptions.priority = documents.number(in: 1...10)
            taskOptions.backoff = .exponential(base: 200, cap: 2_000)
            if documents.chance(percent: 20) { taskOptions.due = .after(Int64(documents.number(in: 100...3_000))) }
            let (first, always) = (documents.chance(percent: 10), documents.chance(percent: 3))
            if plantFailures, first || always { payload.planted = always ? .everyAttempt : .firstAttempt }
            return (payload, taskOptions)
        }
    }
}
