package strongroom_test

import (
	"errors"
	"strings"
	"testing"

	strongroom "strongroom.dev/go"
)

func TestOnlyTheRegionsFipsEndpointIsAllowed(t *testing.T) {
	const fips = "https://kms-fips.us-east-1.amazonaws.com"
	for _, end := range []string{"", "/", ":443", ":443/"} {
		must(t, strongroom.AssertFipsEndpoint(fips+end, "us-east-1"))
		must(t, strongroom.AssertFipsEndpoint(strings.Replace(fips, "us-east-1", "eu-west-3", 1)+end, "eu-west-3"))
	}
	for _, bad := range []string{
		"", "/", "https://", "https://kms-fips", "kms-fips.us-east-1.amazonaws.com", "//kms-fips.us-east-1.amazonaws.com",
		"http://kms-fips.us-east-1.amazonaws.com", "HTTPS://kms-fips.us-east-1.amazonaws.com",
		"https://KMS-FIPS.us-east-1.amazonaws.com", "https://kms.us-east-1.amazonaws.com",
		"https://kms-fips.eu-west-3.amazonaws.com", "https://kms-fips.us-east-1.amazonaws.com.",
		"https://kms-fips.us-east-1.amazonaws.com.evil.example", "https://kms-fips.us-east-1.amazonaws.com@evil.example",
		"https://user@kms-fips.us-east-1.amazonaws.com", "https://evil.example/kms-fips.us-east-1.amazonaws.com",
		"https://kms-fips.us-east-1.amazonaws.com:80", "https://kms-fips.us-east-1.amazonaws.com:0443",
		"https://kms-fips.us-east-1.amazonaws.com:443:443", "https://kms-fips.us-east-1.amazonaws.com//",
		"https://kms-fips.us-east-1.amazonaws.com/x", "https://kms-fips.us-east-1.amazonaws.com?x",
		"https://kms-fips.us-east-1.amazonaws.com#x", " https://kms-fips.us-east-1.amazonaws.com",
		"https://kms-fips.us-east-1.amazonaws.com ", "https://kms-fips.us-east-1.amazonaws.com\n",
		"https://kms-fips.us-east-1.amazonaws.com\x00", "https:/kms-fips.us-east-1.amazonaws.com",
		"https:\\\\kms-fips.us-east-1.amazonaws.com", "https://kms-fips.us-east-1.amazonaws.com.cn",
		"https://kms-fips%2eus-east-1.amazonaws.com", "https://kms-fips․us-east-1.amazonaws.com",
		"https://kms-fips.us-east-1.amazonаws.com", "https://kms-fips-us-east-1.amazonaws.com",
	} {
		if err := strongroom.AssertFipsEndpoint(bad, "us-east-1"); !errors.Is(err, strongroom.ErrEndpointPolicy) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, region := range []string{"", "US-EAST-1", "us east 1", "us-east-1/", "us-east-1.x", strings.Repeat("r", 33), "us-east-1\x00"} {
		if err := strongroom.AssertFipsEndpoint(fips, region); !errors.Is(err, strongroom.ErrBadInput) {
			t.Errorf("%q: %v", region, err)
		}
	}
}
