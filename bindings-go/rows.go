package strongroom

import "encoding/json"

// WrapRow is one wrapped DEK as it is stored: JSON text, kept exactly as it
// came. The core alone reads it, and every call that takes a row judges it, so
// that all hosts refuse the same rows. Rows are compared with ==.
//
// As JSON it is the object itself: a WrapRow can be a member of a struct that
// encoding/json reads and writes.
type WrapRow struct{ text string }

// WrapRowFromJSON takes a row's text as it is. It judges nothing.
func WrapRowFromJSON(text []byte) WrapRow { return WrapRow{string(text)} }

// JSON is the row's text.
func (r WrapRow) JSON() string { return r.text }

// Members reads the row by the core's strict reader. It returns
// ErrRowInconsistent, ErrUnsupportedVersion, ErrBadInput or ErrLimit for text
// that is not a wrap row.
func (r WrapRow) Members() (WrapMembers, error) {
	var members WrapMembers
	if err := rawCheckWrapRow(r.text); err != nil {
		return WrapMembers{}, err
	}
	return members, decode([]byte(r.text), &members)
}

// MarshalJSON gives the row's text.
func (r WrapRow) MarshalJSON() ([]byte, error) { return rowJSON(r.text) }

// UnmarshalJSON takes the row's text as it is.
func (r *WrapRow) UnmarshalJSON(text []byte) error {
	r.text = string(text)
	return nil
}

// WrapMembers are the members of a wrap row. They are storage's word: only the
// core decides whether a row is used.
type WrapMembers struct {
	// Purpose is "org-dek", "record-dek" or "share".
	Purpose string `json:"purpose"`
	Owner   string `json:"owner"`
	Reader  string `json:"reader"`
	// Table and Record are empty for an org DEK.
	Table   string `json:"table"`
	Record  string `json:"record"`
	Version uint32 `json:"version"`
	Created uint64 `json:"created"`
	DekRef  DekRef `json:"dekRef"`
	// Provider is "aws-kms" or "local".
	Provider string `json:"provider"`
	// KeyID is the CMK's key ARN, or for a local wrap the dek_ref of the org DEK.
	KeyID string `json:"keyId"`
	Blob  []byte `json:"blob"`
}

// ActiveRow says which DEK of an org seals: JSON text, kept exactly as it came,
// like [WrapRow].
type ActiveRow struct{ text string }

// ActiveRowFromJSON takes a row's text as it is. It judges nothing.
func ActiveRowFromJSON(text []byte) ActiveRow { return ActiveRow{string(text)} }

// JSON is the row's text.
func (r ActiveRow) JSON() string { return r.text }

// Members reads the row by the core's strict reader. It returns
// ErrRowInconsistent, ErrBadInput or ErrLimit for text that is not an active row.
func (r ActiveRow) Members() (ActiveMembers, error) {
	var members ActiveMembers
	if err := rawCheckActiveRow(r.text); err != nil {
		return ActiveMembers{}, err
	}
	return members, decode([]byte(r.text), &members)
}

// MarshalJSON gives the row's text.
func (r ActiveRow) MarshalJSON() ([]byte, error) { return rowJSON(r.text) }

// UnmarshalJSON takes the row's text as it is.
func (r *ActiveRow) UnmarshalJSON(text []byte) error {
	r.text = string(text)
	return nil
}

// ActiveMembers are the members of an active row.
type ActiveMembers struct {
	Org     string `json:"org"`
	DekRef  DekRef `json:"dekRef"`
	Version uint32 `json:"version"`
	// State is "active" or "tombstoned".
	State string `json:"state"`
	Rev   uint64 `json:"rev"`
}

func rowJSON(text string) ([]byte, error) {
	if text == "" {
		return nil, ErrBadInput
	}
	return []byte(text), nil
}

// decode reads JSON that the core wrote or has found well-formed.
func decode(text []byte, into any) error {
	if json.Unmarshal(text, into) != nil {
		return ErrInternal
	}
	return nil
}
