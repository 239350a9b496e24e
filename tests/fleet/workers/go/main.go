// A worker of the Go module: see ../protocol.md.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	strongroom "strongroom.dev/go"
)

// line is one question. Members that an operation hasn't are zero.
type line struct {
	Op      string              `json:"op"`
	Org     string              `json:"org"`
	Cmks    map[string][]string `json:"cmks"`
	Options struct {
		ActiveMaxAge   uint64 `json:"active_max_age"`
		FleetSealLimit uint64 `json:"fleet_seal_limit"`
	} `json:"options"`
	At      json.RawMessage `json:"at"`
	N       int             `json:"n"`
	Owner   string          `json:"owner"`
	Table   string          `json:"table"`
	Record  string          `json:"record"`
	Reader  string          `json:"reader"`
	Scope   string          `json:"scope"`
	Bind    place           `json:"bind"`
	Pt      hexa            `json:"pt"`
	Env     hexa            `json:"env"`
	DekRef  string          `json:"dek_ref"`
	Version uint32          `json:"version"`
	Days    uint32          `json:"days"`
	Is      bool            `json:"is"`
}

type place struct {
	Org    string `json:"org"`
	Table  string `json:"table"`
	Record string `json:"record"`
	Field  string `json:"field"`
}

func (p place) binding() strongroom.Binding {
	return strongroom.Binding{Org: p.Org, Table: p.Table, Record: p.Record, Field: p.Field}
}

// hexa is bytes in hex.
type hexa []byte

func (h *hexa) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h hexa) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func main() {
	kms := flag.String("kms", "", "the local KMS")
	store := flag.String("store", "", "jsonl:FILE")
	flag.Parse()
	if err := serve(*kms, strings.TrimPrefix(*store, "jsonl:")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(kms, path string) error {
	rows, err := strongroom.OpenJSONLinesStore(path)
	if err != nil {
		return err
	}
	fields, err := openFields(path + ".fields")
	if err != nil {
		return err
	}
	w := &worker{endpoint: kms, rows: rows, fields: fields}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var asked line
		answer := map[string]any{"ok": true}
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			answer["out"], err = w.work(context.Background(), &asked)
		}
		if err != nil {
			answer = map[string]any{"ok": false, "err": nameOf(err)}
			fmt.Fprintln(os.Stderr, asked.Op, err)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	}
	return lines.Err()
}

func nameOf(err error) string {
	var known *strongroom.Error
	if errors.As(err, &known) {
		return known.Name()
	}
	return "CRASH"
}
