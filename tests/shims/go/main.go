// Command shim answers the conformance runner's lines with the Go package: it
// converts and calls, nothing else. With the build tag hazmat it is linked with
// the test build and offers what only that has.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	strongroom "strongroom.dev/go"
)

// An op answers one line.
type op func(line []byte) (any, error)

type answer struct {
	OK    bool   `json:"ok"`
	Out   any    `json:"out,omitempty"`
	Err   string `json:"err,omitempty"`
	Num   uint32 `json:"num,omitempty"`
	Msg   string `json:"msg,omitempty"`
	Wiped bool   `json:"wiped,omitempty"`
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(reply(line)); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

func reply(line []byte) answer {
	var head struct {
		Op string `json:"op"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return refusal(err)
	}
	call, known := ops[head.Op]
	if !known {
		return refusal(errors.New("no such op"))
	}
	out, err := call(line)
	var wiped bool
	if carried, ok := out.(carrier); ok {
		out, wiped = carried.out, carried.wiped
	}
	if err != nil {
		refused := refusal(err)
		refused.Wiped = wiped
		return refused
	}
	return answer{OK: true, Out: out, Wiped: wiped}
}

func refusal(err error) answer {
	var entry *strongroom.Error
	if errors.As(err, &entry) {
		return answer{Err: entry.Name(), Num: entry.Number(), Msg: entry.Text()}
	}
	return answer{Err: "CRASH", Msg: err.Error()}
}

// typed makes an op of a call on a line's members. A member that Go's types can't
// hold is the host's BAD_INPUT.
func typed[M any](call func(M) (any, error)) op {
	return func(line []byte) (any, error) {
		var members M
		if json.Unmarshal(line, &members) != nil {
			return nil, strongroom.ErrBadInput
		}
		return call(members)
	}
}

func hello([]byte) (any, error) {
	names := make([]string, 0, len(ops))
	for name := range ops {
		if name != "hello" {
			names = append(names, name)
		}
	}
	return map[string]any{
		"protocol": 1, "name": name(), "version": strongroom.Version(),
		"strings": []string{"utf8"}, "ops": names,
		"extras": append([]string{"wiped", "large", "cmks", "min_versions", "field_limit", "danger_endpoint"}, testExtras...),
	}, nil
}

// name is the host's: BoringCrypto's build is one of its own.
func name() string {
	if strongroom.Engine() == "boring" {
		return "go-boring"
	}
	return "go"
}
