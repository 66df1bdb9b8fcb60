import Foundation
import Logging
import MartletClient

/// The task: the text of a PDF document, as poppler's `pdftotext` reads it.
enum PDFText: TaskDefinition {
    /// Either the document itself or its name.
    struct Payload: Codable, Sendable {
        /// The document in base64.
        var content: String?
        /// A file name in the worker's documents folder.
        var source: String?
    }

    struct Output: Codable, Sendable {
        var text: String
        var pages: Int
    }

    static let type = "pdfxtract"
    static let queue = Jobs.queue
    /// The most bytes of a document.
    static let mostBytes = 50 * 1024 * 1024
    /// The most bytes of its text: it is the task's result.
    static let mostText = 4 * 1024 * 1024
}

extension PDFText.Payload {
    func extract(in folder: URL, _ context: TaskContext) async throws -> PDFText.Output {
        let document = try document(in: folder)
        guard document.count <= PDFText.mostBytes, document.prefix(1_024).range(of: Data("%PDF-".utf8)) != nil else {
            throw TaskFailure.dead("no PDF document of at most \(PDFText.mostBytes) bytes", kind: "invalid_pdf")
        }
        let place = FileManager.default.temporaryDirectory.appending(path: "pdfxtract-\(UUID())")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        let (input, output) = (place.appending(path: "in.pdf"), place.appending(path: "out.txt"))
        try document.write(to: input)
        try await context.progress(10, note: "\(document.count) bytes read")
        let status = try await Self.run("pdftotext", "-q", "-enc", "UTF-8", input.path(), output.path())
        if let failure = Self.failure(status) { throw failure }
        let text = try Data(contentsOf: output)
        guard text.count <= PDFText.mostText else {
            throw TaskFailure.dead("its text has \(text.count) bytes, more than a result may have", kind: "too_long")
        }
        context.logger.info("text extracted", metadata: ["bytes": "\(text.count)"])
        let formFeed = UInt8(ascii: "\u{0C}")
        return PDFText.Output(text: String(decoding: text, as: UTF8.self), pages: text.count { $0 == formFeed })
    }

    private func document(in folder: URL) throws -> Data {
        switch (content, source) {
        case (let content?, nil):
            guard let data = Data(base64Encoded: content) else {
                throw TaskFailure.dead("content is not base64", kind: "invalid_content")
            }
            return data
        case (nil, let source?):
            let file = try Jobs.file(source, in: folder)
            guard let data = try? Data(contentsOf: file) else {
                throw TaskFailure.dead("no readable document \(source)", kind: "no_document")
            }
            return data
        default: throw TaskFailure.dead("either content or source is needed", kind: "invalid_payload")
        }
    }

    /// What the end of `pdftotext` means; see its manual.
    private static func failure(_ status: Int32) -> TaskFailure? {
        switch status {
        case 0: nil
        case 1: .dead("the document is damaged", kind: "invalid_pdf")
        case 3: .dead("the document forbids taking out its text", kind: "protected_pdf")
        case 127: .dead("pdftotext is missing: apt-get install poppler-utils", kind: "missing_program")
        default: .dead("pdftotext ended with \(status)", kind: "pdftotext")
        }
    }

    /// Runs a program to its end, or until the task is cancelled or past its time limit.
    private static func run(_ command: String...) async throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        let status = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Int32, any Error>) in
                process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
                do {
                    try process.run()
                } catch {
                    process.terminationHandler = nil
                    continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            if process.isRunning { process.terminate() }
        }
        try Task.checkCancellation()
        return status
    }
}
