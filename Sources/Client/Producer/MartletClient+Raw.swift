extension MartletClient {
    /// Sends any command and waits for its reply; a reply that is an error is thrown as `refused`. For tools: a command
    /// that changes something should carry a nonce, because it is sent again when the connection is cut.
    /// - Parameter blocking: how long the command itself may wait at the broker; `nil`: for ever.
    package func send(
        _ command: RESPCommand, blocking: Duration? = .zero
    ) async throws(MartletError) -> RESPValue {
        try await link.send(command, blocking: blocking)
    }
}
