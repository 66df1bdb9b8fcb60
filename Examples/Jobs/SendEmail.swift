import Foundation
import MartletClient

/// The task: one mail to one person.
enum SendEmail: TaskDefinition {
    struct Payload: Codable, Sendable {
        var to: String
        var subject: String
        var body: String
        var from: String?
    }

    struct Output: Codable, Sendable {
        var messageID: String
        /// A file, or the server that took it.
        var deliveredTo: String
    }

    static let type = "send_email"
    static let queue = Jobs.queue
}

/// Where mail is put: a folder, or a mail server. Both are told the same message id however often a task is tried, so
/// a mail that went out in an attempt that was lost is seen to be the same one.
enum Post: Sendable {
    case outbox(URL)
    case smtp(host: String, port: Int)

    /// `HOST:PORT`
    static func server(_ text: String) -> Post? {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port), colon != text.startIndex
        else { return nil }
        return .smtp(host: String(text[..<colon]), port: port)
    }

    func send(_ mail: SendEmail.Payload, as id: TaskID) async throws -> SendEmail.Output {
        let message = try Message(mail, id: id)
        switch self {
        case .outbox(let folder):
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let file = folder.appending(path: "\(id).eml")
            try Data(message.text.utf8).write(to: file, options: .atomic)
            return SendEmail.Output(messageID: message.id, deliveredTo: file.path())
        case .smtp(let host, let port):
            try await SMTPConversation.send(message, host: host, port: port)
            return SendEmail.Output(messageID: message.id, deliveredTo: "\(host):\(port)")
        }
    }
}

/// A mail as it goes over the wire (RFC 5322).
struct Message: Sendable {
    var id: String
    var from: String
    var to: String
    var text: String

    /// What would break out of a header is refused for good.
    init(_ mail: SendEmail.Payload, id: TaskID) throws {
        let sender = mail.from ?? "martlet@localhost"
        for address in [mail.to, sender] where !Self.isAddress(address) {
            throw TaskFailure.dead("not a mail address: \(address)", kind: "invalid_address")
        }
        guard !mail.subject.contains(where: \.isNewline) else {
            throw TaskFailure.dead("a subject is one line", kind: "invalid_subject")
        }
        self.id = "<\(id)@martlet>"
        (from, to) = (sender, mail.to)
        let body = mail.body.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let head = [
            "Message-ID: \(self.id)", "From: <\(sender)>", "To: <\(mail.to)>", "Subject: \(Self.encoded(mail.subject))",
            "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "",
        ]
        text = (head + body.map(String.init)).joined(separator: "\r\n") + "\r\n"
    }

    private static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && !parts.contains(where: \.isEmpty) && text.utf8.count <= 254
            && !text.contains { $0.isWhitespace || $0.isNewline || "<>,;:\"".contains($0) }
    }

    /// RFC 2047, for text that is not plain ASCII.
    private static func encoded(_ text: String) -> String {
        text.utf8.allSatisfy { $0 < 128 } ? text : "=?utf-8?B?\(Data(text.utf8).base64EncodedString())?="
    }
}
