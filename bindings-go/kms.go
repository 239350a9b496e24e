package strongroom

import "context"

// Kms makes the one call that a request describes. [KmsVault] works with any
// implementation; package strongroom.dev/go/awskms is the one for AWS.
type Kms interface {
	// Send asks the KMS exactly what the request says and reports what it
	// answered. plaintext is the DEK of an Encrypt request and nil for every other;
	// the caller wipes it, so Send must not keep it.
	//
	// What the KMS refuses is a reply with Error set, not an error. Send returns an
	// error where there is no answer to report: ErrEndpointPolicy if the request
	// would have gone elsewhere, in which case nothing was sent, or the context's
	// error. KmsVault takes any error that is not from this package's table for
	// ErrKmsUnavailable. Send must not try again by itself: KmsVault does, so that
	// a denial stays one line in the KMS's log.
	Send(ctx context.Context, request KmsRequest, plaintext []byte) (KmsReply, error)
}
