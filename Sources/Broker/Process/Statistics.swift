/// What INFO counts, since start.
struct Statistics {
    var connections: Int64 = 0
    var rejectedConnections: Int64 = 0
    var dropped: Int64 = 0
    /// Clients that were disconnected because they sent nothing.
    var idled: Int64 = 0
    /// Groups that changed something and were committed.
    var commits: Int64 = 0
    var commands: Int64 = 0
    /// Commands answered with an error.
    var refused: Int64 = 0
    var protocolErrors: Int64 = 0
    var authenticationFailures: Int64 = 0
    var inputBytes: Int64 = 0
    var outputBytes: Int64 = 0
}
