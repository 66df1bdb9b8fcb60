import MartletProtocol

/// The option names of the task commands.
extension Keyword {
    static let priority = Keyword("PRIORITY")
    static let at = Keyword("AT")
    static let delay = Keyword("DELAY")
    static let retries = Keyword("RETRIES")
    static let backoff = Keyword("BACKOFF")
    static let jitter = Keyword("JITTER")
    static let lease = Keyword("LEASE")
    static let timeout = Keyword("TIMEOUT")
    static let timeToLive = Keyword("TTL")
    static let keep = Keyword("KEEP")
    static let req = Keyword("REQ")
    static let full = Keyword("FULL")
    static let tasks = Keyword("TASKS")
    static let exponential = Keyword("EXPONENTIAL")
    static let linear = Keyword("LINEAR")
    static let fixed = Keyword("FIXED")
    static let list = Keyword("LIST")
    static let count = Keyword("COUNT")
    static let block = Keyword("BLOCK")
    static let worker = Keyword("WORKER")
    static let keepalive = Keyword("KEEPALIVE")
    static let result = Keyword("RESULT")
    static let next = Keyword("NEXT")
    static let kind = Keyword("KIND")
    static let trace = Keyword("TRACE")
    static let retry = Keyword("RETRY")
    static let dead = Keyword("DEAD")
    static let progress = Keyword("PROGRESS")
    static let note = Keyword("NOTE")
    static let payload = Keyword("PAYLOAD")
    static let history = Keyword("HISTORY")
    static let auth = Keyword("AUTH")
    static let setname = Keyword("SETNAME")
    static let withScores = Keyword("WITHSCORES")
    static let match = Keyword("MATCH")
    static let type = Keyword("TYPE")
    static let tags = Keyword("TAGS")
    static let meta = Keyword("META")
    static let unique = Keyword("UNIQUE")
    static let `for` = Keyword("FOR")
    static let until = Keyword("UNTIL")
    static let on = Keyword("ON")
    static let off = Keyword("OFF")
    static let start = Keyword("START")
    static let done = Keyword("DONE")
    static let expire = Keyword("EXPIRE")
    static let skip = Keyword("SKIP")
    static let replace = Keyword("REPLACE")
    static let error = Keyword("ERROR")
    static let reason = Keyword("REASON")
    static let queue = Keyword("QUEUE")
    static let state = Keyword("STATE")
    static let failed = Keyword("FAILED")
    static let tag = Keyword("TAG")
    static let by = Keyword("BY")
    static let added = Keyword("ADDED")
    static let run = Keyword("RUN")
    static let ended = Keyword("ENDED")
    static let rev = Keyword("REV")
    static let cursor = Keyword("CURSOR")
    static let keepMax = Keyword("KEEPMAX")
    static let retryShare = Keyword("RETRYSHARE")
    static let adaptive = Keyword("ADAPTIVE")
    static let byDefault = Keyword("DEFAULT")
    static let adding = Keyword("IN")
    static let handingOut = Keyword("OUT")
    static let both = Keyword("ALL")
    static let reset = Keyword("RESET")
    static let most = Keyword("MAX")
    static let rate = Keyword("RATE")
    static let dryRun = Keyword("DRYRUN")
    static let after = Keyword("AFTER")
    static let onDead = Keyword("ONDEAD")
    static let wait = Keyword("WAIT")
    static let cancel = Keyword("CANCEL")
    static let add = Keyword("ADD")
    static let spec = Keyword("SPEC")
    static let every = Keyword("EVERY")
    static let zone = Keyword("TZ")
    static let overlap = Keyword("OVERLAP")
    static let allow = Keyword("ALLOW")
    static let catchup = Keyword("CATCHUP")
    static let nothing = Keyword("NONE")
    static let one = Keyword("ONE")
    static let per = Keyword("PER")
    static let burst = Keyword("BURST")
    static let slots = Keyword("SLOTS")
    static let cost = Keyword("COST")
    static let hold = Keyword("HOLD")
    static let mode = Keyword("MODE")
    static let strict = Keyword("STRICT")
    static let ordered = Keyword("ORDERED")
    static let weighted = Keyword("WEIGHTED")
    static let group = Keyword("GROUP")
    static let limit = Keyword("LIMIT")
    static let ok = Keyword("OK")
    static let fail = Keyword("FAIL")
    static let fails = Keyword("FAILS")
    static let cool = Keyword("COOL")
    static let probes = Keyword("PROBES")
    static let kinds = Keyword("KINDS")
    static let order = Keyword("ORDER")
    static let batch = Keyword("BATCH")
    static let success = Keyword("SUCCESS")
    static let complete = Keyword("COMPLETE")
}

/// Which option it is, for "each at most once". AT and DELAY are one.
enum OptionNumber {
    static let priority = 0
    static let due = 1
    static let retries = 2
    static let backoff = 3
    static let jitter = 4
    static let lease = 5
    static let timeout = 6
    static let timeToLive = 7
    static let keep = 8
    static let req = 9
    static let full = 10
    static let count = 11
    static let block = 12
    static let worker = 13
    static let keepalive = 14
    static let result = 15
    static let next = 16
    static let kind = 17
    static let trace = 18
    static let after = 19
    static let progress = 20
    static let note = 21
    static let payload = 22
    static let history = 23
    static let tags = 24
    static let meta = 25
    static let unique = 26
    static let reason = 27
    static let queue = 28
    static let state = 29
    static let type = 30
    static let tag = 31
    static let by = 32
    static let rev = 33
    static let cursor = 34
    static let batch = 35
    static let keepMax = 40
    static let retryShare = 41
    static let direction = 42
    static let span = 43
    static let reset = 45
    static let most = 49
    static let rate = 50
    static let dryRun = 51
    static let dependencies = 63
    static let schedule = 52
    static let zone = 53
    static let overlap = 54
    static let catchup = 55
    static let mode = 56
    static let group = 57
    static let order = 58
}

extension ArgumentCursor {
    /// The value of REQ, which has just been passed. `command` tells the same nonce on another command apart.
    mutating func nonce(_ command: UInt64) throws(CommandError) -> RequestNonceDraft {
        try once(OptionNumber.req)
        let start = position - 1
        return RequestNonceDraft(
            nonce: try name("REQ", in: Limits.nonce), pair: start..<start + 2, command: command)
    }

    mutating func priority() throws(CommandError) -> Int {
        try once(OptionNumber.priority)
        return Int(try integer("PRIORITY", in: Limits.priority))
    }

    mutating func lease() throws(CommandError) -> Milliseconds {
        try once(OptionNumber.lease)
        return try duration("LEASE", atLeast: 1)
    }
}
