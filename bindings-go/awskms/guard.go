package awskms

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"

	strongroom "strongroom.dev/go"
)

// guard stands before the transport and lets only those requests through that go
// where the call may go.
type guard struct{ next http.RoundTripper }

// guardedCall travels in a request's context: where the call may go, and where it
// went.
type guardedCall struct {
	region, danger string

	lock    sync.Mutex
	asked   string
	refused bool
}

type guardKey struct{}

// RoundTrip implements [http.RoundTripper].
func (g guard) RoundTrip(request *http.Request) (*http.Response, error) {
	call, ok := request.Context().Value(guardKey{}).(*guardedCall)
	if !ok || !call.allows(request) {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, strongroom.ErrEndpointPolicy
	}
	return g.next.RoundTrip(request)
}

func (c *guardedCall) allows(request *http.Request) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	url, ok := urlOf(request)
	switch {
	case !ok:
	case c.danger != "":
		ok = url == c.danger
	default:
		ok = strongroom.AssertFipsEndpoint(url, c.region) == nil
	}
	if !ok {
		c.refused = true
		return false
	}
	c.asked = url
	return true
}

func (c *guardedCall) outcome() (asked string, refused bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.asked, c.refused
}

// urlOf says where a request really goes, if it says no more than a KMS's URL may.
func urlOf(request *http.Request) (string, bool) {
	url := request.URL
	if url == nil || url.Opaque != "" || url.User != nil || url.RawQuery != "" || url.ForceQuery || url.Fragment != "" {
		return "", false
	}
	// This is the name that the server sees and that a proxy may go by.
	if request.Host != "" && request.Host != url.Host {
		return "", false
	}
	return url.Scheme + "://" + url.Host + url.EscapedPath(), true
}

// isLoopback says whether a URL names a loopback address: by number, because a name
// can point anywhere, and in one spelling only.
func isLoopback(url string) bool {
	for _, scheme := range []string{"http://", "https://"} {
		if host, ok := strings.CutPrefix(url, scheme); ok {
			host, ok = strings.CutSuffix(host, "/")
			return ok && (isLoopbackHost(host) || isLoopbackHost(host+":1"))
		}
	}
	return false
}

func isLoopbackHost(host string) bool {
	address, err := netip.ParseAddrPort(host)
	return err == nil && address.String() == host && address.Port() > 0 &&
		address.Addr().IsLoopback() && !address.Addr().Is4In6() && address.Addr().Zone() == ""
}
