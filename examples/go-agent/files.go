package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"slices"

	strongroom "strongroom.dev/go"
)

// record is a line of the product's data: what it has before it is sealed.
type record struct {
	Org    string           `json:"org"`
	Table  string           `json:"table"`
	Record string           `json:"record"`
	Fields map[string]value `json:"fields"`
}

// value is a field's value: text, or bytes.
type value struct {
	Text   *string `json:"text"`
	Base64 *[]byte `json:"base64"`
}

func (v value) bytes() ([]byte, error) {
	switch {
	case v.Text != nil && v.Base64 == nil:
		return []byte(*v.Text), nil
	case v.Base64 != nil && v.Text == nil:
		return *v.Base64, nil
	}
	return nil, fmt.Errorf("a value is either text or base64")
}

// names gives a record's fields in the order in which they are exported.
func (r record) names() []string { return slices.Sorted(maps.Keys(r.Fields)) }

// sealedLine is a line of an export: one sealed field.
type sealedLine struct {
	Org      string `json:"org"`
	Table    string `json:"table"`
	Record   string `json:"record"`
	Field    string `json:"field"`
	Envelope string `json:"envelope"`
}

// item makes what is opened. The binding's names come from the line only where the
// line is what the product asks for, as in an export; the envelope decides whether
// they are true.
func (l sealedLine) item(manifest *strongroom.Manifest) (strongroom.OpenItem, error) {
	at, err := manifest.Binding(l.Org, l.Table, l.Record, l.Field)
	if err != nil {
		return strongroom.OpenItem{}, fmt.Errorf("%s.%s: %w", l.Table, l.Field, err)
	}
	envelope, err := strongroom.FromText(l.Envelope)
	return strongroom.OpenItem{Binding: at, Envelope: envelope}, err
}

// eachLine reads a file of JSON lines.
func eachLine[T any](path string, work func(T) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<20)
	for number := 1; ; number++ {
		text, err := lines.ReadBytes('\n')
		if err == io.EOF && len(text) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		var line T
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if err := work(line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
}

// exportFile writes sealed lines.
type exportFile struct {
	file   *os.File
	buffer *bufio.Writer
	lines  *json.Encoder
}

func createExport(path string, flags int) (*exportFile, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flags, 0o600)
	if err != nil {
		return nil, err
	}
	buffer := bufio.NewWriterSize(file, 1<<20)
	lines := json.NewEncoder(buffer)
	lines.SetEscapeHTML(false)
	return &exportFile{file, buffer, lines}, nil
}

func (e *exportFile) write(at strongroom.Binding, envelope []byte) error {
	text, err := strongroom.ToText(envelope)
	if err != nil {
		return err
	}
	return e.lines.Encode(sealedLine{at.Org, at.Table, at.Record, at.Field, text})
}

// close has everything on the disk.
func (e *exportFile) close() error {
	defer e.file.Close()
	if err := e.buffer.Flush(); err != nil {
		return err
	}
	return e.file.Sync()
}

// listing digests opened fields: it shows that two hosts opened the same, without
// showing what.
type listing struct {
	hash          hash.Hash
	fields, bytes int
}

func newListing() *listing { return &listing{hash: sha256.New()} }

// add takes a value in and wipes it.
func (l *listing) add(at strongroom.Binding, value []byte) {
	sum := sha256.Sum256(value)
	fmt.Fprintf(l.hash, "%s\t%s\t%s\t%s\t%s\n", at.Org, at.Table, at.Record, at.Field, hex.EncodeToString(sum[:]))
	l.fields++
	l.bytes += len(value)
	clear(value)
}

func (l *listing) digest() string { return hex.EncodeToString(l.hash.Sum(nil)) }
