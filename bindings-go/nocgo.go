//go:build !cgo

package strongroom

// Without cgo the core can't be linked. Everything compiles, and every call says
// what to do about it.

type handle = *struct{}

const engine = ""

func rawVaultNew(string) (handle, error)         { return nil, ErrNoCgo }
func rawVaultFree(handle)                        {}
func rawVersion() string                         { return "" }
func rawAssertFipsEndpoint(string, string) error { return ErrNoCgo }
func rawInspect([]byte) (UntrustedHeader, error) { return UntrustedHeader{}, ErrNoCgo }
func rawToText([]byte) (string, error)           { return "", ErrNoCgo }
func rawFromText(string) ([]byte, error)         { return nil, ErrNoCgo }
func rawKmsContext(string) ([]byte, error)       { return nil, ErrNoCgo }
func rawCheckWrapRow(string) error               { return ErrNoCgo }
func rawCheckActiveRow(string) error             { return ErrNoCgo }
func rawMintRequest(handle, string, string, uint32, uint64) ([]byte, error) {
	return nil, ErrNoCgo
}
func rawAdmitMinted(handle, uint64, *KmsReply) (string, string, error) { return "", "", ErrNoCgo }
func rawSetActive(handle, string) error                                { return ErrNoCgo }
func rawUnwrapRequest(handle, string, string) ([]byte, error)          { return nil, ErrNoCgo }
func rawAdmit(handle, string, string, *KmsReply) (DekRef, error)       { return DekRef{}, ErrNoCgo }
func rawMissing(handle, []byte, []uint32) ([]DekRef, error)            { return nil, ErrNoCgo }
func rawSeal(handle, *Binding, []byte, SealOptions, []byte) (int, error) {
	return 0, ErrNoCgo
}
func rawOpen(handle, *Binding, []byte, []byte) (int, error)             { return 0, ErrNoCgo }
func rawSealMany(handle, []byte, []byte) (int, error)                   { return 0, ErrNoCgo }
func rawOpenMany(handle, []byte, []byte) (int, error)                   { return 0, ErrNoCgo }
func rawReseal(handle, *Binding, []byte, ResealOptions) ([]byte, error) { return nil, ErrNoCgo }
func rawRebind(handle, *Binding, *Binding, []byte) ([]byte, error)      { return nil, ErrNoCgo }
func rawGenerateRecordDek(handle, string, string, string, uint32, uint64) (string, error) {
	return "", ErrNoCgo
}
func rawWrapLocal(handle, string, DekRef, uint64) (string, error)   { return "", ErrNoCgo }
func rawWrapRequest(handle, DekRef, string, uint64) ([]byte, error) { return nil, ErrNoCgo }
func rawShareRequest(handle, DekRef, string, string, uint64) ([]byte, error) {
	return nil, ErrNoCgo
}
func rawTakeRequestPlaintext(handle, uint64, []byte) error           { return ErrNoCgo }
func rawAdmitShared(handle, uint64, *KmsReply) (string, error)       { return "", ErrNoCgo }
func rawShredRequest(handle, string, string, uint32) ([]byte, error) { return nil, ErrNoCgo }
func rawTombstone(handle, string) error                              { return ErrNoCgo }
func rawSignOut(handle) ([]DekRef, error)                            { return nil, ErrNoCgo }
func rawStatus(handle) ([]byte, error)                               { return nil, ErrNoCgo }
func rawCacheExport(handle, DekRef) ([]byte, error)                  { return nil, ErrNoCgo }
func rawCacheImport(handle, []byte) (DekRef, error)                  { return DekRef{}, ErrNoCgo }
