// Command consumer is what a user of the module would write: it is built outside of
// this repository, from the packed module. It seals one field and opens it.
package main

import (
	"bytes"
	"fmt"
	"os"

	strongroom "strongroom.dev/go"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(strongroom.Version())
}

func run() error {
	cmk := "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e"
	vault, err := strongroom.NewVault(strongroom.WithCmks(map[string][]string{"acme": {cmk}}))
	if err != nil {
		return err
	}
	defer vault.Close()
	request, err := vault.MintRequest("acme", cmk, 1, 1_761_955_200)
	if err != nil {
		return err
	}
	_, active, err := vault.AdmitMinted(request.ID, strongroom.KmsReply{
		Endpoint: request.Endpoint, KeyID: &cmk,
		Plaintext: bytes.Repeat([]byte{7}, 32), CiphertextBlob: []byte("blob"),
	})
	if err != nil {
		return err
	}
	if err := vault.SetActive(active); err != nil {
		return err
	}
	at := strongroom.Binding{Org: "acme", Table: "hosts", Record: "h-17", Field: "password"}
	envelope, err := vault.Seal(at, []byte("hunter2"), strongroom.SealOptions{})
	if err != nil {
		return err
	}
	plaintext, err := vault.Open(at, envelope)
	if err == nil && string(plaintext) != "hunter2" {
		err = fmt.Errorf("opened %d bytes", len(plaintext))
	}
	return err
}
