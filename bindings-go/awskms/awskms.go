// Package awskms lets a [strongroom.KmsVault] ask AWS KMS, through the AWS SDK.
//
// Make the SDK's client with FIPS endpoints and the vault's region:
//
//	client := kms.NewFromConfig(config, func(o *kms.Options) {
//		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
//	})
//	adapter, err := awskms.New(client, awskms.Options{})
//
// # Security notes
//
// The URL of each HTTP request is compared where it would go out on the wire,
// behind everything that the SDK, its settings and the environment decide: unless
// it is the FIPS endpoint of the request's region, nothing is sent and
// strongroom.ErrEndpointPolicy is returned. Redirects are not followed. The SDK's
// own retries are off for these calls, because KmsVault tries again where that is
// right; so a denied request is one line in the KMS's log.
//
// What the SDK keeps of a DEK in its own buffers, the JSON text of request and
// answer, can't be overwritten from here.
package awskms

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	strongroom "strongroom.dev/go"
)

// Options says what the adapter may do beyond asking the FIPS endpoint.
type Options struct {
	// DangerEndpoint is a local KMS for development, which replaces the FIPS
	// endpoint: "http://127.0.0.1:PORT/" or "http://[::1]:PORT/", with the final
	// slash. The vault needs the same URL as its option.
	DangerEndpoint string
}

// Kms is the adapter. It is safe for many goroutines.
type Kms struct {
	client *kms.Client
	danger string
	http   *http.Client
}

var _ strongroom.Kms = (*Kms)(nil)

// New makes the adapter around a client.
//
// It returns ErrBadInput without a client, and for one whose HTTP client is neither
// the SDK's own nor an *http.Client, because only in these can redirects be turned
// off; ErrEndpointPolicy for a DangerEndpoint that is not a loopback address.
func New(client *kms.Client, options Options) (*Kms, error) {
	if client == nil {
		return nil, strongroom.ErrBadInput
	}
	if options.DangerEndpoint != "" && !isLoopback(options.DangerEndpoint) {
		return nil, strongroom.ErrEndpointPolicy
	}
	guarded, err := guardedClient(client.Options().HTTPClient)
	if err != nil {
		return nil, err
	}
	return &Kms{client, options.DangerEndpoint, guarded}, nil
}

// Send implements [strongroom.Kms]. It returns ErrEndpointPolicy if the client would
// have asked another endpoint than the request names, and ErrKmsUnavailable if the
// SDK sent nothing, for want of credentials for example.
func (k *Kms) Send(ctx context.Context, request strongroom.KmsRequest, plaintext []byte) (strongroom.KmsReply, error) {
	if request.FIPS != (k.danger == "") || (k.danger != "" && request.Endpoint != k.danger) {
		return strongroom.KmsReply{}, strongroom.ErrEndpointPolicy
	}
	call := &guardedCall{region: request.Region, danger: k.danger}
	reply, err := k.call(context.WithValue(ctx, guardKey{}, call), request, plaintext)
	endpoint, refused := call.outcome()
	if err != nil || refused {
		clear(reply.Plaintext)
		reply = strongroom.KmsReply{}
	}
	reply.Endpoint = endpoint
	switch {
	case refused, err == nil && endpoint == "":
		return strongroom.KmsReply{}, strongroom.ErrEndpointPolicy
	case err == nil:
		return reply, nil
	case ctx.Err() != nil:
		return strongroom.KmsReply{}, context.Cause(ctx)
	case errors.Is(err, strongroom.ErrBadInput):
		return strongroom.KmsReply{}, strongroom.ErrBadInput
	case endpoint == "":
		return strongroom.KmsReply{}, errors.Join(strongroom.ErrKmsUnavailable, err)
	}
	reply.Error = nameOf(err)
	return reply, nil
}

func (k *Kms) call(ctx context.Context, request strongroom.KmsRequest, plaintext []byte) (strongroom.KmsReply, error) {
	params := request.Params
	switch request.Op {
	case "GenerateDataKey":
		out, err := k.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
			KeyId:             &params.KeyID,
			KeySpec:           types.DataKeySpec(params.KeySpec),
			EncryptionContext: params.EncryptionContext,
		}, k.configure)
		if err != nil {
			return strongroom.KmsReply{}, err
		}
		return strongroom.KmsReply{KeyID: out.KeyId, Plaintext: out.Plaintext, CiphertextBlob: out.CiphertextBlob}, nil
	case "Decrypt":
		out, err := k.client.Decrypt(ctx, &kms.DecryptInput{
			KeyId:             &params.KeyID,
			CiphertextBlob:    params.CiphertextBlob,
			EncryptionContext: params.EncryptionContext,
		}, k.configure)
		if err != nil {
			return strongroom.KmsReply{}, err
		}
		return strongroom.KmsReply{KeyID: out.KeyId, Plaintext: out.Plaintext}, nil
	case "Encrypt":
		out, err := k.client.Encrypt(ctx, &kms.EncryptInput{
			KeyId:             &params.KeyID,
			Plaintext:         plaintext,
			EncryptionContext: params.EncryptionContext,
		}, k.configure)
		if err != nil {
			return strongroom.KmsReply{}, err
		}
		return strongroom.KmsReply{KeyID: out.KeyId, CiphertextBlob: out.CiphertextBlob}, nil
	case "ScheduleKeyDeletion":
		out, err := k.client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{
			KeyId:               &params.KeyID,
			PendingWindowInDays: aws.Int32(int32(params.PendingWindowInDays)),
		}, k.configure)
		if err != nil {
			return strongroom.KmsReply{}, err
		}
		return strongroom.KmsReply{KeyID: out.KeyId}, nil
	}
	return strongroom.KmsReply{}, strongroom.ErrBadInput
}

// configure changes the client for one call.
func (k *Kms) configure(o *kms.Options) {
	o.HTTPClient = k.http
	o.Retryer = aws.NopRetryer{}
}

// nameOf gives the KMS's name of an error. An answer that is none of its own, and a
// connection that broke, have no name there.
func nameOf(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) && answer.ErrorCode() != "" {
		return answer.ErrorCode()
	}
	return "NetworkingError"
}

// guardedClient makes an HTTP client that asks the guard before each request and
// follows no redirect.
func guardedClient(client kms.HTTPClient) (*http.Client, error) {
	switch client := client.(type) {
	case *awshttp.BuildableClient:
		return &http.Client{
			Transport:     guard{client.GetTransport()},
			CheckRedirect: noRedirect,
			Timeout:       client.GetTimeout(),
		}, nil
	case *http.Client:
		guarded := *client
		if guarded.Transport == nil {
			guarded.Transport = http.DefaultTransport
		}
		guarded.Transport, guarded.CheckRedirect = guard{guarded.Transport}, noRedirect
		return &guarded, nil
	}
	return nil, strongroom.ErrBadInput
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
