package main

import (
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"

	strongroom "strongroom.dev/go"
)

// octets are bytes, hexadecimal in JSON.
type octets []byte

func (o *octets) UnmarshalJSON(value []byte) (err error) {
	*o, err = hex.AppendDecode(make([]byte, 0, len(value)/2), inner(value))
	return err
}

func (o octets) MarshalJSON() ([]byte, error) {
	return append(hex.AppendEncode(append(make([]byte, 0, 2*len(o)+2), '"'), o), '"'), nil
}

// text is a string: JSON's, or any bytes as {"utf8": hex}.
type text string

func (t *text) UnmarshalJSON(value []byte) error {
	if value[0] == '"' {
		return json.Unmarshal(value, (*string)(t))
	}
	var form struct {
		UTF8 *octets `json:"utf8"`
	}
	if err := json.Unmarshal(value, &form); err != nil {
		return err
	}
	if form.UTF8 == nil {
		return strongroom.ErrBadInput
	}
	*t = text(*form.UTF8)
	return nil
}

// u64 is a number spelt as a decimal string.
type u64 uint64

func (n *u64) UnmarshalJSON(value []byte) error {
	number, err := strconv.ParseUint(string(inner(value)), 10, 64)
	*n = u64(number)
	return err
}

func (n u64) MarshalJSON() ([]byte, error) {
	return []byte(strconv.Quote(strconv.FormatUint(uint64(n), 10))), nil
}

// object is JSON that the package takes as text, with strings of any bytes in it.
type object string

var utf8Form = regexp.MustCompile(`\{\s*"utf8"\s*:\s*"([0-9a-f]*)"\s*\}`)

func (o *object) UnmarshalJSON(value []byte) error {
	*o = object(utf8Form.ReplaceAllFunc(value, func(form []byte) []byte {
		bytes, _ := hex.DecodeString(string(utf8Form.FindSubmatch(form)[1]))
		return append(append([]byte{'"'}, bytes...), '"')
	}))
	return nil
}

type place struct {
	Org      text `json:"org"`
	Table    text `json:"table"`
	Record   text `json:"record"`
	Field    text `json:"field"`
	Revision *u64 `json:"revision"`
}

func (p place) binding() strongroom.Binding {
	return strongroom.Binding{
		Org: string(p.Org), Table: string(p.Table), Record: string(p.Record), Field: string(p.Field),
		Revision: (*uint64)(p.Revision),
	}
}

type kmsReply struct {
	Endpoint       text   `json:"endpoint"`
	Error          text   `json:"error"`
	KeyID          *text  `json:"KeyId"`
	Plaintext      octets `json:"Plaintext"`
	CiphertextBlob octets `json:"CiphertextBlob"`
}

func (r *kmsReply) reply() *strongroom.KmsReply {
	if r == nil {
		return nil
	}
	return &strongroom.KmsReply{
		Endpoint: string(r.Endpoint), Error: string(r.Error), KeyID: (*string)(r.KeyID),
		Plaintext: r.Plaintext, CiphertextBlob: r.CiphertextBlob,
	}
}

// some is the reply of a call that has no call without one.
func (r *kmsReply) some() strongroom.KmsReply {
	if r == nil {
		return strongroom.KmsReply{}
	}
	return *r.reply()
}

// carrier is an answer beside what became of the buffer with the plaintext DEK.
type carrier struct {
	out   any
	wiped bool
}

func (r *kmsReply) carried(out any) carrier {
	if r == nil || r.Plaintext == nil {
		return carrier{out: out}
	}
	for _, b := range r.Plaintext {
		if b != 0 {
			return carrier{out: out}
		}
	}
	return carrier{out: out, wiped: true}
}

type sealOptions struct {
	Scope  *strongroom.Scope `json:"scope"`
	Padded *bool             `json:"padded"`
}

func (o sealOptions) seal() strongroom.SealOptions {
	var options strongroom.SealOptions
	if o.Scope != nil {
		options.Scope = *o.Scope
	}
	if o.Padded != nil {
		options.Padded = *o.Padded
	}
	return options
}

type vaultOptions struct {
	TTL            *uint64           `json:"ttl"`
	Session        *text             `json:"session"`
	Region         *text             `json:"region"`
	SealLimit      *uint64           `json:"seal_limit"`
	FieldLimit     *uint64           `json:"field_limit"`
	Cmks           map[string][]text `json:"cmks"`
	MinVersions    map[string]uint32 `json:"min_versions"`
	DangerEndpoint *text             `json:"danger_endpoint"`
}

func (o vaultOptions) options() (with []strongroom.Option) {
	with = given(with, o.TTL, strongroom.WithTTL)
	with = given(with, (*string)(o.Session), strongroom.WithSession)
	with = given(with, (*string)(o.Region), strongroom.WithRegion)
	with = given(with, o.SealLimit, strongroom.WithSealLimit)
	with = given(with, o.FieldLimit, strongroom.WithFieldLimit)
	with = given(with, (*string)(o.DangerEndpoint), strongroom.WithDangerEndpoint)
	if o.Cmks != nil {
		cmks := map[string][]string{}
		for org, list := range o.Cmks {
			cmks[org] = []string{}
			for _, cmk := range list {
				cmks[org] = append(cmks[org], string(cmk))
			}
		}
		with = append(with, strongroom.WithCmks(cmks))
	}
	if o.MinVersions != nil {
		with = append(with, strongroom.WithMinVersions(o.MinVersions))
	}
	return with
}

func given[V any](with []strongroom.Option, value *V, option func(V) strongroom.Option) []strongroom.Option {
	if value == nil {
		return with
	}
	return append(with, option(*value))
}

// request is a request with its bytes in hexadecimal.
func request(from strongroom.KmsRequest, plaintext octets) map[string]any {
	params := map[string]any{"KeyId": from.Params.KeyID}
	if from.Params.KeySpec != "" {
		params["KeySpec"] = from.Params.KeySpec
	}
	if from.Params.CiphertextBlob != nil {
		params["CiphertextBlob"] = octets(from.Params.CiphertextBlob)
	}
	if from.Params.EncryptionContext != nil {
		params["EncryptionContext"] = from.Params.EncryptionContext
	}
	if from.Params.PendingWindowInDays != 0 {
		params["PendingWindowInDays"] = from.Params.PendingWindowInDays
	}
	if plaintext != nil {
		params["Plaintext"] = plaintext
	}
	return map[string]any{
		"id": from.ID, "op": from.Op, "region": from.Region, "fips": from.FIPS,
		"endpoint": from.Endpoint, "params": params,
	}
}

func hexes[B ~[]byte](list []B) []octets {
	out := make([]octets, len(list))
	for i, item := range list {
		out[i] = octets(item)
	}
	return out
}

// inner is what stands between a JSON string's quotes.
func inner(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return []byte("?")
	}
	return value[1 : len(value)-1]
}
