package strongroom

// Version says "strongroom X.Y.Z format 1 aes=BACKEND". Without cgo it is empty.
func Version() string { return rawVersion() }

// AssertFipsEndpoint returns ErrEndpointPolicy unless endpoint is the KMS's FIPS
// endpoint of the region, and ErrBadInput for a region that is none.
func AssertFipsEndpoint(endpoint, region string) error {
	return rawAssertFipsEndpoint(endpoint, region)
}

// Inspect reads an envelope's header without any key. It returns the errors of a
// reader: ErrNotAnEnvelope, ErrUnsupportedVersion, ErrUnsupportedSuite,
// ErrMalformed, ErrTruncated.
func Inspect(envelope []byte) (UntrustedHeader, error) { return rawInspect(envelope) }

// ToText gives an envelope's printable form. It returns the errors of Inspect.
func ToText(envelope []byte) (string, error) { return rawToText(envelope) }

// FromText reads the printable form. It returns ErrNotAnEnvelope for other text,
// ErrMalformed for another spelling, and the errors of Inspect.
func FromText(text string) ([]byte, error) { return rawFromText(text) }

// KmsContext is the encryption context of a row that a KMS wraps. It returns
// ErrBadInput for a local row, and what is wrong with the row.
func KmsContext(row WrapRow) (map[string]string, error) {
	text, err := rawKmsContext(row.text)
	if err != nil {
		return nil, err
	}
	var context map[string]string
	return context, decode(text, &context)
}
