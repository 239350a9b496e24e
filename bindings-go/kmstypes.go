package strongroom

// KmsRequest is what a KMS must be asked, as plain data. Params uses the KMS
// API's own names, so an adapter hands its members to the SDK as they are.
type KmsRequest struct {
	ID uint64 `json:"id"`
	// Op is GenerateDataKey, Decrypt, Encrypt or ScheduleKeyDeletion.
	Op     string `json:"op"`
	Region string `json:"region"`
	// FIPS is false only with [WithDangerEndpoint].
	FIPS     bool      `json:"fips"`
	Endpoint string    `json:"endpoint"`
	Params   KmsParams `json:"params"`
}

// KmsParams are the parameters of a request; those that Op has not are zero.
// The plaintext of an Encrypt request is not among them: it comes once, from
// [Vault.TakeRequestPlaintext].
type KmsParams struct {
	KeyID               string            `json:"KeyId"`
	KeySpec             string            `json:"KeySpec,omitempty"`
	CiphertextBlob      []byte            `json:"CiphertextBlob,omitempty"`
	EncryptionContext   map[string]string `json:"EncryptionContext,omitempty"`
	PendingWindowInDays uint32            `json:"PendingWindowInDays,omitempty"`
}

// KmsReply is what the KMS answered: the members of the SDK's answer that
// matter here, or the SDK's error name.
type KmsReply struct {
	// Endpoint is the URL that was really asked, as the SDK resolved it; never
	// the request's.
	Endpoint string
	// Error is the name of the KMS's error, such as AccessDeniedException, and empty
	// where the KMS did what it was asked. An error without a name needs one here.
	Error string
	// KeyID is nil where the answer has none.
	KeyID *string
	// Plaintext is zeroed by the call that takes the reply, whatever comes of it.
	Plaintext      []byte
	CiphertextBlob []byte
}
