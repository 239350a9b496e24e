package awskms_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	strongroom "strongroom.dev/go"
	"strongroom.dev/go/awskms"
)

// recorder is a transport that sends nothing: it counts, and answers as a KMS would.
type recorder struct {
	lock  sync.Mutex
	urls  []string
	reply func(*http.Request) (*http.Response, error)
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.lock.Lock()
	r.urls = append(r.urls, request.URL.String())
	r.lock.Unlock()
	if r.reply != nil {
		return r.reply(request)
	}
	return answer(request, 200, `{"KeyId":"`+cmk+`","Plaintext":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}`)
}

func (r *recorder) sent() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.urls
}

func answer(request *http.Request, status int, body string) (*http.Response, error) {
	return &http.Response{
		Request: request, StatusCode: status, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

const cmk = "arn:aws:kms:us-east-1:000000000000:key/a"

var decrypt = strongroom.KmsRequest{
	ID: 1, Op: "Decrypt", Region: "us-east-1", FIPS: true, Endpoint: "https://kms-fips.us-east-1.amazonaws.com",
	Params: strongroom.KmsParams{KeyID: cmk, CiphertextBlob: []byte("blob"), EncryptionContext: map[string]string{"a": "b"}},
}

// clientOf makes a client as a product would, with changes.
func clientOf(transport http.RoundTripper, change ...func(*kms.Options)) *kms.Client {
	return kms.New(kms.Options{}, func(o *kms.Options) {
		o.Region = "us-east-1"
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "sr-YWNtZQ", SecretAccessKey: "local"}, nil
		})
		if transport != nil {
			o.HTTPClient = &http.Client{Transport: transport}
		}
		for _, change := range change {
			change(o)
		}
	})
}

func adapterOf(t *testing.T, client *kms.Client, options awskms.Options) *awskms.Kms {
	t.Helper()
	adapter, err := awskms.New(client, options)
	if err != nil {
		t.Fatal(err)
	}
	return adapter
}

func endpoint(url string) func(*kms.Options) {
	return func(o *kms.Options) {
		o.BaseEndpoint = &url
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateDisabled
	}
}

func TestTheUrlThatWasReallyAskedIsReported(t *testing.T) {
	sent := &recorder{}
	reply, err := adapterOf(t, clientOf(sent), awskms.Options{}).Send(t.Context(), decrypt, nil)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Endpoint != "https://kms-fips.us-east-1.amazonaws.com/" || *reply.KeyID != cmk || len(reply.Plaintext) != 32 {
		t.Fatalf("%+v", reply)
	}
	if len(sent.sent()) != 1 {
		t.Fatal(sent.sent())
	}
}

func TestAClientOfAnotherEndpointSendsNothing(t *testing.T) {
	for name, change := range map[string]func(*kms.Options){
		"another region":     func(o *kms.Options) { o.Region = "eu-west-1" },
		"no FIPS":            func(o *kms.Options) { o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateDisabled },
		"dual stack":         func(o *kms.Options) { o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled },
		"http":               endpoint("http://kms-fips.us-east-1.amazonaws.com"),
		"a look-alike":       endpoint("https://kms-fips.us-east-1.amazonaws.com.evil.example"),
		"another look-alike": endpoint("https://kms-fips.us-east-1.amazonavvs.com"),
		"a name in front":    endpoint("https://x.kms-fips.us-east-1.amazonaws.com"),
		"a user":             endpoint("https://kms-fips.us-east-1.amazonaws.com@evil.example"),
		"another port":       endpoint("https://kms-fips.us-east-1.amazonaws.com:8443"),
		"a path":             endpoint("https://kms-fips.us-east-1.amazonaws.com/x"),
		"capitals":           endpoint("https://KMS-FIPS.us-east-1.amazonaws.com"),
		"a final dot":        endpoint("https://kms-fips.us-east-1.amazonaws.com."),
		"loopback":           endpoint("http://127.0.0.1:1/"),
		"another host header": func(o *kms.Options) {
			o.APIOptions = append(o.APIOptions, finally(func(r *smithyhttp.Request) { r.Host = "evil.example" }))
		},
		"middleware that moves the request at the last moment": func(o *kms.Options) {
			o.APIOptions = append(o.APIOptions, finally(func(r *smithyhttp.Request) { r.URL.Host = "evil.example" }))
		},
		"a user before the host": func(o *kms.Options) {
			o.APIOptions = append(o.APIOptions, finally(func(r *smithyhttp.Request) { r.URL.User = url.User("user") }))
		},
		"a query": func(o *kms.Options) {
			o.APIOptions = append(o.APIOptions, finally(func(r *smithyhttp.Request) { r.URL.RawQuery = "x=y" }))
		},
		"an opaque URL": func(o *kms.Options) {
			o.APIOptions = append(o.APIOptions, finally(func(r *smithyhttp.Request) { r.URL.Opaque = "//evil.example/" }))
		},
	} {
		sent := &recorder{}
		reply, err := adapterOf(t, clientOf(sent, change), awskms.Options{}).Send(t.Context(), decrypt, nil)
		if !errors.Is(err, strongroom.ErrEndpointPolicy) || reply.Plaintext != nil {
			t.Errorf("%s: %v", name, err)
		}
		if urls := sent.sent(); len(urls) != 0 {
			t.Errorf("%s: sent to %v", name, urls)
		}
	}
}

// finally makes middleware that runs behind the SDK's own.
func finally(change func(*smithyhttp.Request)) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("test", func(
			ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
		) (middleware.DeserializeOutput, middleware.Metadata, error) {
			change(in.Request.(*smithyhttp.Request))
			return next.HandleDeserialize(ctx, in)
		}), middleware.After)
	}
}

func TestNoByteReachesAListenerThatIsNotAllowed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var connections atomic.Int32
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			connection.Close()
		}
	}()
	here := "http://" + listener.Addr().String() + "/"
	for name, c := range map[string]struct {
		options awskms.Options
		request strongroom.KmsRequest
	}{
		"without the option":                     {awskms.Options{}, decrypt},
		"the request allows it, the adapter not": {awskms.Options{}, local(here)},
		"the adapter allows it, the request not": {awskms.Options{DangerEndpoint: here}, decrypt},
		"another port":                           {awskms.Options{DangerEndpoint: "http://127.0.0.1:1/"}, local("http://127.0.0.1:1/")},
		"another address":                        {awskms.Options{DangerEndpoint: "http://127.0.0.2:1/"}, local(here)},
		"the FIPS endpoint as danger":            {awskms.Options{DangerEndpoint: here}, local(decrypt.Endpoint)},
	} {
		adapter := adapterOf(t, clientOf(nil, endpoint(here)), c.options)
		if _, err := adapter.Send(t.Context(), c.request, nil); !errors.Is(err, strongroom.ErrEndpointPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if connections.Load() != 0 {
		t.Fatalf("%d connections", connections.Load())
	}
	// The same listener, with everything put right, is reached.
	adapter := adapterOf(t, clientOf(nil, endpoint(here)), awskms.Options{DangerEndpoint: here})
	reply, err := adapter.Send(t.Context(), local(here), nil)
	if err != nil || reply.Error != "NetworkingError" || reply.Endpoint != here {
		t.Fatalf("%+v, %v", reply, err)
	}
	if connections.Load() == 0 {
		t.Fatal("the listener sees no connection even where it is allowed")
	}
}

func local(url string) strongroom.KmsRequest {
	request := decrypt
	request.FIPS, request.Endpoint = false, url
	return request
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var elsewhere, asked atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, other.URL, status)
		}))
		for _, change := range []func(*kms.Options){
			func(*kms.Options) {},
			func(o *kms.Options) { o.HTTPClient = &http.Client{} },
			func(o *kms.Options) { o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(time.Second) },
		} {
			adapter := adapterOf(t, clientOf(nil, endpoint(server.URL), change), awskms.Options{DangerEndpoint: server.URL + "/"})
			reply, err := adapter.Send(t.Context(), local(server.URL+"/"), nil)
			if err != nil || reply.Error == "" || reply.Plaintext != nil {
				t.Errorf("%d: %+v, %v", status, reply, err)
			}
		}
		if elsewhere.Load() != 0 || asked.Load() != 3 {
			t.Errorf("%d: %d requests elsewhere, %d asked", status, elsewhere.Load(), asked.Load())
		}
		server.Close()
		other.Close()
	}
}

func TestTheSdkTriesOnce(t *testing.T) {
	for _, c := range []struct {
		status     int
		body, name string
	}{
		{400, `{"__type":"ThrottlingException"}`, "ThrottlingException"},
		{400, `{"__type":"AccessDeniedException","message":"no"}`, "AccessDeniedException"},
		{400, `{"__type":"com.amazonaws.kms#NotFoundException"}`, "NotFoundException"},
		{400, `{"__type":"KMSInvalidStateException"}`, "KMSInvalidStateException"},
		{400, `{"__type":"LimitExceededException"}`, "LimitExceededException"},
		{400, `{"__type":"InvalidCiphertextException"}`, "InvalidCiphertextException"},
		{400, `{"__type":"IncorrectKeyException"}`, "IncorrectKeyException"},
		{400, `{"__type":"DisabledException"}`, "DisabledException"},
		{500, `{"__type":"KMSInternalException"}`, "KMSInternalException"},
		{503, `not JSON`, "NetworkingError"},
		{200, `not JSON`, "NetworkingError"},
	} {
		sent := &recorder{reply: func(r *http.Request) (*http.Response, error) { return answer(r, c.status, c.body) }}
		adapter := adapterOf(t, clientOf(sent, func(o *kms.Options) { o.RetryMaxAttempts = 7 }), awskms.Options{})
		reply, err := adapter.Send(t.Context(), decrypt, nil)
		if err != nil || reply.Error != c.name || reply.Endpoint != "https://kms-fips.us-east-1.amazonaws.com/" {
			t.Errorf("%s: %+v, %v", c.body, reply, err)
		}
		if len(sent.sent()) != 1 {
			t.Errorf("%s: sent %d times", c.body, len(sent.sent()))
		}
	}
}

func TestWhatIsAskedIsExactlyTheRequest(t *testing.T) {
	dek := bytes.Repeat([]byte{7}, 32)
	for _, c := range []struct {
		op     string
		params strongroom.KmsParams
		secret []byte
		want   string
	}{
		{"GenerateDataKey", strongroom.KmsParams{KeyID: cmk, KeySpec: "AES_256", EncryptionContext: map[string]string{"a": "b"}}, nil,
			`{"EncryptionContext":{"a":"b"},"KeyId":"` + cmk + `","KeySpec":"AES_256"}`},
		{"Decrypt", decrypt.Params, nil,
			`{"CiphertextBlob":"YmxvYg==","EncryptionContext":{"a":"b"},"KeyId":"` + cmk + `"}`},
		{"Encrypt", strongroom.KmsParams{KeyID: cmk, EncryptionContext: map[string]string{"a": "b"}}, dek,
			`{"EncryptionContext":{"a":"b"},"KeyId":"` + cmk + `","Plaintext":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}`},
		{"ScheduleKeyDeletion", strongroom.KmsParams{KeyID: cmk, PendingWindowInDays: 7}, nil,
			`{"KeyId":"` + cmk + `","PendingWindowInDays":7}`},
	} {
		var got, target string
		sent := &recorder{reply: func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			got, target = string(body), r.Header.Get("X-Amz-Target")
			return answer(r, 200, `{"KeyId":"`+cmk+`"}`)
		}}
		request := decrypt
		request.Op, request.Params = c.op, c.params
		if _, err := adapterOf(t, clientOf(sent), awskms.Options{}).Send(t.Context(), request, c.secret); err != nil {
			t.Errorf("%s: %v", c.op, err)
		}
		if got != c.want || target != "TrentService."+c.op {
			t.Errorf("%s: asked %s %s", c.op, target, got)
		}
	}
	if !bytes.Equal(dek, bytes.Repeat([]byte{7}, 32)) {
		t.Error("the caller's buffer was changed: KmsVault needs it for another try")
	}
}

func TestWhatNeverLeavesTheSdkIsNoAnswer(t *testing.T) {
	sent := &recorder{}
	noCredentials := clientOf(sent, func(o *kms.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no credentials")
		})
	})
	_, err := adapterOf(t, noCredentials, awskms.Options{}).Send(t.Context(), decrypt, nil)
	if !errors.Is(err, strongroom.ErrKmsUnavailable) {
		t.Error(err)
	}
	unknown := decrypt
	unknown.Op = "ReEncrypt"
	_, err = adapterOf(t, clientOf(sent), awskms.Options{}).Send(t.Context(), unknown, nil)
	if !errors.Is(err, strongroom.ErrBadInput) {
		t.Error(err)
	}
	// Middleware that answers by itself: nobody knows where that came from.
	forged := clientOf(sent, func(o *kms.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("forged", func(
				context.Context, middleware.InitializeInput, middleware.InitializeHandler,
			) (middleware.InitializeOutput, middleware.Metadata, error) {
				return middleware.InitializeOutput{Result: &kms.DecryptOutput{Plaintext: make([]byte, 32)}}, middleware.Metadata{}, nil
			}), middleware.Before)
		})
	})
	_, err = adapterOf(t, forged, awskms.Options{}).Send(t.Context(), decrypt, nil)
	if !errors.Is(err, strongroom.ErrEndpointPolicy) {
		t.Error(err)
	}
	if len(sent.sent()) != 0 {
		t.Error(sent.sent())
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	sent := &recorder{reply: func(r *http.Request) (*http.Response, error) {
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	}}
	_, err := adapterOf(t, clientOf(sent), awskms.Options{}).Send(ctx, decrypt, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestOnlyLoopbackByNumberMayBeADangerEndpoint(t *testing.T) {
	for _, good := range []string{
		"http://127.0.0.1:8080/", "http://127.0.0.1/", "http://127.9.9.9:1/", "http://[::1]:8080/", "https://127.0.0.1:8443/",
	} {
		if _, err := awskms.New(clientOf(nil), awskms.Options{DangerEndpoint: good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"http://localhost:8080/", "http://10.0.0.1:8080/", "http://0.0.0.0:8080/", "http://[::]:8080/",
		"http://128.0.0.1/", "http://127.0.0.1.evil.example/", "http://127.1:8080/", "http://0177.0.0.1/",
		"http://2130706433/", "http://127.0.0.1:8080", "http://127.0.0.1:0/", "http://127.0.0.1:08080/",
		"http://127.0.0.1:99999/", "http://127.0.0.1:8080/x", "http://127.0.0.1:8080//", "http://127.0.0.1:8080/?x",
		"http://user@127.0.0.1:8080/", "http://[::ffff:127.0.0.1]:8080/", "http://[::1%25lo]:8080/", "http://::1:8080/",
		"http://[0:0:0:0:0:0:0:1]:8080/", "HTTP://127.0.0.1:8080/", "ftp://127.0.0.1/", "127.0.0.1:8080/", "/",
		"http:///", "https://kms-fips.us-east-1.amazonaws.com/", " http://127.0.0.1:8080/",
	} {
		if _, err := awskms.New(clientOf(nil), awskms.Options{DangerEndpoint: bad}); !errors.Is(err, strongroom.ErrEndpointPolicy) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestAnHttpClientWhoseRedirectsCanNotBeTurnedOffIsRefused(t *testing.T) {
	custom := clientOf(nil, func(o *kms.Options) { o.HTTPClient = customClient{} })
	if _, err := awskms.New(custom, awskms.Options{}); !errors.Is(err, strongroom.ErrBadInput) {
		t.Fatal(err)
	}
	if _, err := awskms.New(nil, awskms.Options{}); !errors.Is(err, strongroom.ErrBadInput) {
		t.Fatal(err)
	}
}

type customClient struct{}

func (customClient) Do(*http.Request) (*http.Response, error) { return nil, errors.New("not asked") }
