/// What the broker says it is.
public enum Version {
    public static let martlet = "0.1.0"
    /// The Redis whose behaviour clients may expect.
    public static let redis = "7.0.15"
}
