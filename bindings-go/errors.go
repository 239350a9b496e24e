package strongroom

import "errors"

// ErrNoCgo is what every call returns in a program that was built without cgo.
var ErrNoCgo = errors.New("strongroom: built without cgo: build with CGO_ENABLED=1 and a C compiler")

// Error is one entry of the core's error table. Every error of this package is
// one of the sentinels below, or wraps one: compare with errors.Is, read the
// entry with errors.As. Texts hold no key, value or binding.
type Error struct {
	number uint32
	name   string
	text   string
}

// Number is the error's number, the same in every host and never reused.
func (e *Error) Number() uint32 { return e.number }

// Name is the error's name, such as AUTH_FAILED.
func (e *Error) Name() string { return e.name }

// Text says in a few words what the error means, without Go's prefix.
func (e *Error) Text() string { return e.text }

// Error gives the text with the package's name before it.
func (e *Error) Error() string { return "strongroom: " + e.text + " (" + e.name + ")" }

// The core's error table. A test compares it with the archive's, entry by entry.
var (
	// ErrBadInput is the caller's mistake: an argument, or a vault that was closed.
	ErrBadInput = &Error{1, "BAD_INPUT", "an argument is missing or not allowed"}
	// ErrLimit means that an argument is larger than a documented limit.
	ErrLimit = &Error{2, "LIMIT", "a limit is exceeded"}
	// ErrUnknownOption means that a vault option is not known.
	ErrUnknownOption = &Error{3, "UNKNOWN_OPTION", "unknown option"}
	// ErrNotAnEnvelope means that the bytes don't begin like an envelope.
	ErrNotAnEnvelope = &Error{10, "NOT_AN_ENVELOPE", "not an envelope"}
	// ErrUnsupportedVersion means a format version that this release can't read.
	ErrUnsupportedVersion = &Error{11, "UNSUPPORTED_VERSION", "unsupported format version"}
	// ErrUnsupportedSuite means a cipher suite that this release can't read.
	ErrUnsupportedSuite = &Error{12, "UNSUPPORTED_SUITE", "unsupported suite"}
	// ErrMalformed means that the bytes break their format.
	ErrMalformed = &Error{13, "MALFORMED", "not well-formed"}
	// ErrTruncated means that bytes are missing at the end.
	ErrTruncated = &Error{14, "TRUNCATED", "truncated"}
	// ErrUnknownDek means that the vault does not hold the DEK.
	ErrUnknownDek = &Error{20, "UNKNOWN_DEK", "this DEK is not in the vault"}
	// ErrNoActiveDek means that there is no DEK to seal under yet.
	ErrNoActiveDek = &Error{21, "NO_ACTIVE_DEK", "no active DEK to seal under"}
	// ErrKeyMismatch means that an unwrapped DEK is not the one its row names.
	ErrKeyMismatch = &Error{22, "KEY_MISMATCH", "the DEK does not match its reference"}
	// ErrRowInconsistent means a row that contradicts itself, its use or the vault.
	ErrRowInconsistent = &Error{23, "ROW_INCONSISTENT", "the row is inconsistent"}
	// ErrBudgetExhausted means that the DEK has sealed as often as it may here.
	ErrBudgetExhausted = &Error{24, "BUDGET_EXHAUSTED", "the seal budget of the DEK is exhausted"}
	// ErrActiveRollback means that storage shows an older state than was seen.
	ErrActiveRollback = &Error{25, "ACTIVE_ROLLBACK", "the active DEK was rolled back or forked"}
	// ErrOrgTombstoned means that the org was shredded.
	ErrOrgTombstoned = &Error{26, "ORG_TOMBSTONED", "the org is tombstoned"}
	// ErrExpired means that the DEK's time in this vault is over.
	ErrExpired = &Error{27, "EXPIRED", "the DEK has expired"}
	// ErrClockRollback means that a clock went back and ended the DEKs held.
	ErrClockRollback = &Error{28, "CLOCK_ROLLBACK", "a clock went back"}
	// ErrAuthFailed means a wrong binding or changed bytes, never more precise.
	ErrAuthFailed = &Error{30, "AUTH_FAILED", "authentication failed"}
	// ErrRngFailure means that the operating system gave no random bytes.
	ErrRngFailure = &Error{31, "RNG_FAILURE", "the random generator failed"}
	// ErrKmsDenied means that the KMS refused. It is final: don't retry.
	ErrKmsDenied = &Error{40, "KMS_DENIED", "the KMS denied the request"}
	// ErrKmsPendingDeletion means that the CMK waits for its destruction.
	ErrKmsPendingDeletion = &Error{41, "KMS_PENDING_DELETION", "the CMK is pending deletion"}
	// ErrKmsThrottled means that the KMS asks to come back later.
	ErrKmsThrottled = &Error{42, "KMS_THROTTLED", "the KMS throttled the request"}
	// ErrKmsUnavailable means that the KMS could not be reached or failed.
	ErrKmsUnavailable = &Error{43, "KMS_UNAVAILABLE", "the KMS is unavailable"}
	// ErrKeyIDUnexpected means that another CMK was named or answered than allowed.
	ErrKeyIDUnexpected = &Error{44, "KEY_ID_UNEXPECTED", "not the expected CMK"}
	// ErrEndpointPolicy means that another endpoint was asked than is allowed.
	ErrEndpointPolicy = &Error{45, "ENDPOINT_POLICY", "this KMS endpoint is not allowed"}
	// ErrPreconditionFailed means that a store holds something else than expected.
	ErrPreconditionFailed = &Error{50, "PRECONDITION_FAILED", "the store holds another state"}
	// ErrStoreUnavailable means that a store could not be read or written.
	ErrStoreUnavailable = &Error{51, "STORE_UNAVAILABLE", "the store is unavailable"}
	// ErrInternal is a fault of this library, and a processor that it can't run on.
	ErrInternal = &Error{255, "INTERNAL", "internal error"}
)

// Errors lists the error table, by number.
func Errors() []*Error { return append([]*Error(nil), table...) }

// fromNumber gives the sentinel of a status, nil for success.
func fromNumber(number uint32) error {
	if number == 0 {
		return nil
	}
	for _, entry := range table {
		if entry.number == number {
			return entry
		}
	}
	return ErrInternal
}

var table = []*Error{
	ErrBadInput, ErrLimit, ErrUnknownOption,
	ErrNotAnEnvelope, ErrUnsupportedVersion, ErrUnsupportedSuite, ErrMalformed, ErrTruncated,
	ErrUnknownDek, ErrNoActiveDek, ErrKeyMismatch, ErrRowInconsistent, ErrBudgetExhausted,
	ErrActiveRollback, ErrOrgTombstoned, ErrExpired, ErrClockRollback,
	ErrAuthFailed, ErrRngFailure,
	ErrKmsDenied, ErrKmsPendingDeletion, ErrKmsThrottled, ErrKmsUnavailable,
	ErrKeyIDUnexpected, ErrEndpointPolicy,
	ErrPreconditionFailed, ErrStoreUnavailable,
	ErrInternal,
}
