package strongroom

// Engine says where this build's AES-GCM runs: "core", or "boring" for Go's
// BoringCrypto, under GOEXPERIMENT=boringcrypto. Without cgo it is empty.
func Engine() string { return engine }
