import MartletEngine
import MartletProtocol

/// A nonce as it was found, and what its fingerprint is made of.
struct RequestNonceDraft {
    var nonce: Bytes
    /// The nonce's own two arguments, which do not count.
    var pair: Range<Int>
    var command: UInt64

    /// The nonce with the fingerprint of all other arguments of `request`.
    func seal(_ request: Request) -> RequestNonce {
        RequestNonce(nonce: nonce, fingerprint: request.fingerprint(seed: command, from: 1, omitting: pair))
    }
}

/// What tells commands apart in fingerprints. Never changes: nonces outlive the process.
enum CommandTag {
    static let add: UInt64 = 1
    static let addMany: UInt64 = 2
    static let reserve: UInt64 = 3
    static let acknowledge: UInt64 = 4
    static let acknowledgeMany: UInt64 = 5
    static let fail: UInt64 = 6
    static let release: UInt64 = 7
    static let touch: UInt64 = 8
    static let cancel: UInt64 = 9
    static let move: UInt64 = 10
    static let delete: UInt64 = 11
    static let log: UInt64 = 12
    static let queueSet: UInt64 = 20
    static let queuePause: UInt64 = 21
    static let queueResume: UInt64 = 22
    static let queueDelete: UInt64 = 23
    static let queuePurge: UInt64 = 24
    static let retry: UInt64 = 25
    static let deadPurge: UInt64 = 26
    static let deadReplay: UInt64 = 27
    static let stopOperation: UInt64 = 28
    static let bulk: UInt64 = 29
    static let cronSet: UInt64 = 30
    static let cronDelete: UInt64 = 31
    static let cronPause: UInt64 = 32
    static let cronResume: UInt64 = 33
    static let cronRun: UInt64 = 34
    static let limitSet: UInt64 = 40
    static let limitTake: UInt64 = 41
    static let limitGive: UInt64 = 42
    static let limitDelete: UInt64 = 43
    static let limitReset: UInt64 = 44
    static let breakerSet: UInt64 = 45
    static let breakerAllow: UInt64 = 46
    static let breakerReport: UInt64 = 47
    static let breakerTrip: UInt64 = 48
    static let breakerReset: UInt64 = 49
    static let breakerDelete: UInt64 = 50
    static let batchNew: UInt64 = 60
    static let batchSeal: UInt64 = 61
    static let batchCancel: UInt64 = 62
    static let queueDrain: UInt64 = 63
    static let hello: UInt64 = 70
    static let beat: UInt64 = 71
    static let quiet: UInt64 = 72
    static let stop: UInt64 = 73
    static let bye: UInt64 = 74
}
