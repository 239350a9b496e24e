package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/awskms"
)

// session is an org's vault with what it works with.
type session struct {
	*strongroom.KmsVault
	store    *strongroom.JSONLinesStore
	manifest *strongroom.Manifest
	calls    *atomic.Int64
}

// session makes an empty vault for an org, which asks the KMS as that org.
func (a *agent) session(org string) (*session, error) {
	text, err := os.ReadFile(a.manifest)
	if err != nil {
		return nil, err
	}
	manifest, err := strongroom.ReadManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.manifest, err)
	}
	store, err := strongroom.OpenJSONLinesStore(a.store)
	if err != nil {
		return nil, err
	}
	var cmks map[string][]string
	if err := json.Unmarshal([]byte(a.cmks), &cmks); err != nil {
		return nil, fmt.Errorf("--cmks: %w", err)
	}
	adapter, err := awskms.New(a.client(org), awskms.Options{DangerEndpoint: a.kms})
	if err != nil {
		return nil, err
	}
	counted := &countingKms{Kms: adapter}
	vault, err := strongroom.NewKmsVault(strongroom.KmsVaultConfig{
		Org: org, Cmks: cmks, Kms: counted, Store: store,
		Options: []strongroom.Option{strongroom.WithDangerEndpoint(a.kms)},
	})
	if err != nil {
		return nil, err
	}
	return &session{vault, store, manifest, &counted.calls}, nil
}

// client is the SDK's with the credentials that the local KMS takes for an org's.
func (a *agent) client(org string) *kms.Client {
	return kms.New(kms.Options{
		Region: region, BaseEndpoint: &a.kms,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			id := "sr-" + base64.RawURLEncoding.EncodeToString([]byte(org))
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: "local"}, nil
		}),
	})
}

// countingKms counts the calls that are made through it.
type countingKms struct {
	strongroom.Kms
	calls atomic.Int64
}

// Send implements [strongroom.Kms].
func (k *countingKms) Send(ctx context.Context, r strongroom.KmsRequest, plaintext []byte) (strongroom.KmsReply, error) {
	k.calls.Add(1)
	return k.Kms.Send(ctx, r, plaintext)
}

// createKey makes an org's CMK, which in a product the org's administrator does.
func createKey(ctx context.Context, a *agent) error {
	made, err := a.client(a.org).CreateKey(ctx, &kms.CreateKeyInput{
		Tags: []types.Tag{{TagKey: aws.String("strongroom-org"), TagValue: &a.org}},
	})
	if err != nil {
		return err
	}
	return a.out.Encode(struct {
		Step string `json:"step"`
		OK   bool   `json:"ok"`
		Org  string `json:"org"`
		ARN  string `json:"arn"`
	}{a.step, true, a.org, *made.KeyMetadata.Arn})
}

const region = "us-east-1"
