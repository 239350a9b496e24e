//go:build cgo && boringcrypto

package strongroom

import (
	"crypto/boring"
	"strings"
	"testing"
)

func TestThisBuildSaysThatBoringCryptoIsItsCipher(t *testing.T) {
	if !boring.Enabled() || Engine() != "boring" || !strings.HasSuffix(Version(), " aes=boring") {
		t.Fatalf("enabled %v, engine %q, version %q", boring.Enabled(), Engine(), Version())
	}
}
