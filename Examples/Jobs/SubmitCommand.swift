import ArgumentParser
import Foundation
import MartletClient

/// `jobs submit TYPE JSON…`: one task for each payload.
struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Submits tasks: send_email, process_data, resize_image or pdfxtract.")

    @OptionGroup var options: BrokerOptions

    @Argument(help: "send_email, process_data, resize_image or pdfxtract.")
    var type: String

    @Argument(help: "Payloads as JSON, one task each.")
    var payloads: [String]

    @Option(help: "1 to 10, 10 is the most urgent.")
    var priority = 5

    @Option(help: "Further attempts after the first.")
    var retries: Int64 = 3

    @Flag(help: "Wait and print the results, in the order of the payloads.")
    var wait = false

    func validate() throws {
        guard (1...10).contains(priority) else { throw ValidationError("--priority must be 1 to 10") }
        guard (0...10).contains(retries) else { throw ValidationError("--retries must be 0 to 10") }
        guard !payloads.isEmpty else { throw ValidationError("nothing to submit") }
    }

    func run() async throws {
        let client = MartletClient(options.broker, logger: Jobs.logger("jobs.submit"))
        switch type {
        case SendEmail.type: try await submit(SendEmail.self, client)
        case ProcessData.type: try await submit(ProcessData.self, client)
        case ResizeImage.type: try await submit(ResizeImage.self, client)
        case PDFText.type: try await submit(PDFText.self, client)
        default: throw ValidationError("no such type: \(type)")
        }
        await client.close()
    }

    private func submit<Definition: TaskDefinition>(
        _ definition: Definition.Type, _ client: MartletClient
    ) async throws {
        var taskOptions = TaskOptions()
        taskOptions.priority = priority
        taskOptions.retries = retries
        var handles: [TaskHandle<Definition.Output>] = []
        for text in payloads {
            let payload = try JSONDecoder().decode(Definition.Payload.self, from: Data(text.utf8))
            handles.append(try await client.enqueue(payload, as: definition, options: taskOptions))
        }
        guard wait else { return handles.forEach { print($0.id) } }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for handle in handles {
            print(String(decoding: try encoder.encode(try await handle.result()), as: UTF8.self))
        }
    }
}
