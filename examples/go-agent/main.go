// The agent of the demo's product: it holds what an agent on a customer's machine
// holds, seals a product's records into an export and works on such exports. Each
// step is a process of its own. Standard output has facts as JSON lines, and no
// field's value and no DEK ever; equality is shown by digests.
//
//	agent create-key  --kms URL --org ORG
//	agent seal        --kms URL --store F --export F --manifest F --cmks JSON --org ORG --data F
//	agent open        --kms URL --store F --export F --manifest F --cmks JSON --orgs ORG,ORG
//	agent reseal      --kms URL --store F --export F --manifest F --cmks JSON --org ORG --part I/N --out F
//	agent open-shared --kms URL --store F --export F --manifest F --cmks JSON --org ORG --owner ORG
//	                  --table T --record R --unshared R
//
// It talks to a local KMS, so it uses the danger_endpoint option and says so.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	strongroom "strongroom.dev/go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

// steps are what the agent can do.
var steps = map[string]func(context.Context, *agent) error{
	"create-key":  createKey,
	"seal":        seal,
	"open":        open,
	"reseal":      reseal,
	"open-shared": openShared,
}

// run makes one step. What fails is printed as a fact too.
func run(ctx context.Context, arguments []string, out, progress io.Writer) error {
	if len(arguments) == 0 || steps[arguments[0]] == nil {
		return errors.New("name a step: create-key, seal, open, reseal or open-shared")
	}
	a := &agent{step: arguments[0], out: json.NewEncoder(out), progress: progress}
	if err := a.read(arguments[1:]); err != nil {
		return err
	}
	fmt.Fprintf(progress, "danger_endpoint: %s (local KMS, loopback)\n", a.kms)
	if err := steps[a.step](ctx, a); err != nil {
		_ = a.out.Encode(failure{a.step, false, nameOf(err)})
		return err
	}
	return nil
}

type failure struct {
	Step  string `json:"step"`
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

// agent is one step with its arguments.
type agent struct {
	step     string
	out      *json.Encoder
	progress io.Writer

	kms, store, export, manifest, cmks string
	org, orgs, data, part, outFile     string
	owner, table, record, unshared     string
}

func (a *agent) read(arguments []string) error {
	flags := flag.NewFlagSet(a.step, flag.ContinueOnError)
	flags.SetOutput(a.progress)
	for name, value := range map[string]*string{
		"kms": &a.kms, "store": &a.store, "export": &a.export, "manifest": &a.manifest, "cmks": &a.cmks,
		"org": &a.org, "orgs": &a.orgs, "data": &a.data, "part": &a.part, "out": &a.outFile,
		"owner": &a.owner, "table": &a.table, "record": &a.record, "unshared": &a.unshared,
	} {
		flags.StringVar(value, name, "", "see the package's documentation")
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no option", flags.Arg(0))
	}
	if a.kms == "" {
		return errors.New("--kms is missing")
	}
	return nil
}

func (a *agent) say(format string, values ...any) { fmt.Fprintf(a.progress, format+"\n", values...) }

func (a *agent) orgList() []string { return strings.Split(a.orgs, ",") }

// nameOf is the core's name of an error.
func nameOf(err error) string {
	var known *strongroom.Error
	if errors.As(err, &known) {
		return known.Name()
	}
	return "OTHER"
}
