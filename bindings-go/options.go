package strongroom

import (
	"slices"
	"strconv"
	"strings"
)

// Option sets one option of a new vault. An option that is not given has the
// core's default; of one given twice the last counts. Values are judged by the
// core: [NewVault] returns ErrBadInput or ErrLimit for those out of range.
type Option func(*options)

// WithTTL sets for how many seconds a DEK is held after it came in: 1 to 43,200,
// which is the default.
func WithTTL(seconds uint64) Option { return number("ttl", seconds) }

// WithSession names the session to which keychain entries belong. Without it
// nothing goes to or comes from a keychain.
func WithSession(session string) Option { return text("session", session) }

// WithRegion sets the AWS region of the KMS; us-east-1 by default.
func WithRegion(region string) Option { return text("region", region) }

// WithSealLimit sets how many IVs this vault may use under one DEK: 2^28 by
// default, at most 2^32.
func WithSealLimit(seals uint64) Option { return number("seal_limit", seals) }

// WithFieldLimit sets the largest field in bytes: 16 MiB by default, at most 64 MiB.
func WithFieldLimit(bytes uint64) Option { return number("field_limit", bytes) }

// WithCmks lists by org the CMKs (key ARNs) that may wrap for it. Without it the
// vault trusts the rows that it is given: a bare vault should always have it.
func WithCmks(cmks map[string][]string) Option {
	var json strings.Builder
	for i, org := range sorted(cmks) {
		separate(&json, i)
		quote(&json, org)
		json.WriteString(":[")
		for j, cmk := range cmks[org] {
			separate(&json, j)
			quote(&json, cmk)
		}
		json.WriteByte(']')
	}
	return member("cmks", "{"+json.String()+"}")
}

// WithMinVersions lists by org the highest version that is known from a trusted
// place; an older active row is refused.
func WithMinVersions(versions map[string]uint32) Option {
	var json strings.Builder
	for i, org := range sorted(versions) {
		separate(&json, i)
		quote(&json, org)
		json.WriteByte(':')
		json.WriteString(strconv.FormatUint(uint64(versions[org]), 10))
	}
	return member("min_versions", "{"+json.String()+"}")
}

// WithDangerEndpoint replaces the KMS's FIPS endpoint by one exact URL, http
// allowed. It is for development: nothing protects what travels there.
func WithDangerEndpoint(url string) Option { return text("danger_endpoint", url) }

// options holds each option's JSON by its name.
type options map[string]string

func (o options) json() string {
	var json strings.Builder
	json.WriteByte('{')
	for i, name := range sorted(o) {
		separate(&json, i)
		quote(&json, name)
		json.WriteByte(':')
		json.WriteString(o[name])
	}
	json.WriteByte('}')
	return json.String()
}

func member(name, json string) Option { return func(o *options) { (*o)[name] = json } }

func number(name string, value uint64) Option {
	return member(name, strconv.FormatUint(value, 10))
}

func text(name, value string) Option {
	var json strings.Builder
	quote(&json, value)
	return member(name, json.String())
}

// quote writes a JSON string. Unlike encoding/json it passes ill-formed UTF-8 on
// byte for byte, so that the core refuses it; a repaired string would be another
// org's or session's name.
func quote(json *strings.Builder, value string) {
	const hex = "0123456789abcdef"
	json.WriteByte('"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			json.WriteByte('\\')
			json.WriteByte(c)
		case c < ' ':
			json.WriteString(`\u00`)
			json.WriteByte(hex[c>>4])
			json.WriteByte(hex[c&15])
		default:
			json.WriteByte(c)
		}
	}
	json.WriteByte('"')
}

func separate(json *strings.Builder, index int) {
	if index > 0 {
		json.WriteByte(',')
	}
}

func sorted[V any](members map[string]V) []string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
