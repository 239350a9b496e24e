package strongroom

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// jsonObject holds an object's members: a jsonObject, string, bool, json.Number,
// nil, or []any each.
type jsonObject map[string]any

// readJSONObject reads one object and is strict where encoding/json forgives: a
// name that stands twice, bytes that are not UTF-8 and escapes of half a surrogate
// pair are ErrBadInput, because hosts would repair them in different ways.
func readJSONObject(text []byte) (jsonObject, error) {
	if !utf8.Valid(text) || !json.Valid(text) || hasLoneSurrogate(text) {
		return nil, ErrBadInput
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := readJSONValue(decoder)
	if err != nil {
		return nil, err
	}
	object, ok := value.(jsonObject)
	if _, err := decoder.Token(); !ok || err != io.EOF {
		return nil, ErrBadInput
	}
	return object, nil
}

func readJSONValue(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, ErrBadInput
	}
	switch token {
	case json.Delim('{'):
		object := jsonObject{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, ErrBadInput
			}
			value, err := readJSONValue(decoder)
			if err != nil {
				return nil, err
			}
			if _, twice := object[name.(string)]; twice {
				return nil, ErrBadInput
			}
			object[name.(string)] = value
		}
		_, err = decoder.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			value, err := readJSONValue(decoder)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = decoder.Token()
		return list, err
	}
	return token, nil
}

// only refuses members other than the named ones.
func (o jsonObject) only(names ...string) error {
	for name := range o {
		if !slices.Contains(names, name) {
			return ErrBadInput
		}
	}
	return nil
}

func (o jsonObject) text(name string) (string, error)       { return typedMember[string](o, name) }
func (o jsonObject) object(name string) (jsonObject, error) { return typedMember[jsonObject](o, name) }
func (o jsonObject) bool(name string) (bool, error)         { return typedMember[bool](o, name) }
func (o jsonObject) number(name string) (json.Number, error) {
	return typedMember[json.Number](o, name)
}

// ref reads a dek_ref.
func (o jsonObject) ref(name string, into *DekRef) error {
	text, err := o.text(name)
	if err != nil {
		return err
	}
	return into.UnmarshalText([]byte(text))
}

// whole reads a whole number of up to 2^53-1 in its plain spelling.
func (o jsonObject) whole(name string) (uint64, error) {
	number, err := o.number(name)
	if err != nil {
		return 0, err
	}
	value, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil || value > maxWhole || strconv.FormatUint(value, 10) != string(number) {
		return 0, ErrRowInconsistent
	}
	return value, nil
}

func typedMember[T any](o jsonObject, name string) (T, error) {
	value, ok := o[name].(T)
	if !ok {
		return value, ErrBadInput
	}
	return value, nil
}

// hasLoneSurrogate looks through well-formed JSON, where a backslash stands in
// strings only.
func hasLoneSurrogate(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		unit := escapedUnit(text[i:])
		i++
		switch {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return true
		case unit >= 0xD800 && unit <= 0xDBFF:
			if low := escapedUnit(text[i+5:]); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 10
		}
	}
	return false
}

// escapedUnit reads a \uXXXX; -1 if the text begins with something else.
func escapedUnit(text []byte) int {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(unit)
}
