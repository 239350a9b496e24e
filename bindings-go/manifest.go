package strongroom

import "strings"

// Manifest says which fields of a product are sealed and how: the file
// fields.json, which every host of the product reads, so that all spell the
// bindings alike. It is immutable and safe for many goroutines.
//
//	{"format": 1, "tables": {"hosts": {"fields": {
//	  "password":  {"scope": "record", "padded": true},
//	  "headers.*": {"scope": "org", "padded": false}}}}}
//
// A name that ends in ".*" stands for every field whose name goes on after the
// dot: headers.* has headers.x-token, and headers.a.b too. A field that is named
// in full comes first, then the longest of several such names.
type Manifest struct {
	tables map[string]manifestTable
}

type manifestTable struct {
	named map[string]SealOptions
	// By prefix, the dot included.
	wildcards map[string]SealOptions
}

// ReadManifest reads fields.json.
//
// It returns ErrBadInput for text that is not such a file: every member is
// mandatory and stands once, unknown ones are refused, and "*" may only be the
// last character of a field behind a prefix and a dot. It returns
// ErrUnsupportedVersion for another format, ErrLimit for a name of more than
// 1,024 bytes.
func ReadManifest(text []byte) (*Manifest, error) {
	root, err := readJSONObject(text)
	if err != nil {
		return nil, err
	}
	format, err := root.number("format")
	if err != nil {
		return nil, err
	}
	if format != "1" {
		return nil, ErrUnsupportedVersion
	}
	tables, err := namedObjects(root, "tables")
	if err != nil {
		return nil, err
	}
	manifest := &Manifest{tables: map[string]manifestTable{}}
	for name, table := range tables {
		if manifest.tables[name], err = readTable(table); err != nil {
			return nil, err
		}
	}
	return manifest, root.only("format", "tables")
}

// Binding makes the binding of a field that the manifest lists. It returns
// ErrBadInput for one that it doesn't. The vault judges org and record.
func (m *Manifest) Binding(org, table, record, field string) (Binding, error) {
	if _, err := m.SealOptions(table, field); err != nil {
		return Binding{}, err
	}
	return Binding{Org: org, Table: table, Record: record, Field: field}, nil
}

// SealOptions says how a field is sealed. It returns ErrBadInput for a field that
// the manifest doesn't list.
func (m *Manifest) SealOptions(table, field string) (SealOptions, error) {
	// A pattern is no field: whoever asks for one mixed the two up.
	if strings.HasSuffix(field, ".*") {
		return SealOptions{}, ErrBadInput
	}
	listed := m.tables[table]
	if options, ok := listed.named[field]; ok {
		return options, nil
	}
	for dot := len(field); ; {
		if dot = strings.LastIndexByte(field[:dot], '.'); dot < 0 {
			return SealOptions{}, ErrBadInput
		}
		if options, ok := listed.wildcards[field[:dot+1]]; ok && dot+1 < len(field) {
			return options, nil
		}
	}
}

func readTable(table jsonObject) (manifestTable, error) {
	read := manifestTable{map[string]SealOptions{}, map[string]SealOptions{}}
	fields, err := namedObjects(table, "fields")
	if err != nil {
		return read, err
	}
	for name, field := range fields {
		options, err := readField(field)
		if err != nil {
			return read, err
		}
		prefix, wildcard := strings.CutSuffix(name, "*")
		switch {
		case strings.Contains(prefix, "*"), wildcard && (len(prefix) < 2 || !strings.HasSuffix(prefix, ".")):
			return read, ErrBadInput
		case wildcard:
			read.wildcards[prefix] = options
		default:
			read.named[name] = options
		}
	}
	return read, table.only("fields")
}

func readField(field jsonObject) (options SealOptions, err error) {
	scope, err := field.text("scope")
	if err != nil {
		return options, err
	}
	if err := options.Scope.UnmarshalText([]byte(scope)); err != nil {
		return options, err
	}
	if options.Padded, err = field.bool("padded"); err != nil {
		return options, err
	}
	return options, field.only("scope", "padded")
}

// namedObjects gives a member that holds at least one object, by names that can
// be part of a binding.
func namedObjects(parent jsonObject, member string) (map[string]jsonObject, error) {
	object, err := parent.object(member)
	if err != nil {
		return nil, err
	}
	named := map[string]jsonObject{}
	for name := range object {
		if name == "" {
			return nil, ErrBadInput
		}
		if len(name) > maxName {
			return nil, ErrLimit
		}
		if named[name], err = object.object(name); err != nil {
			return nil, err
		}
	}
	if len(named) == 0 {
		return nil, ErrBadInput
	}
	return named, nil
}

// A part of a binding has at most so many bytes.
const maxName = 1_024
