package farm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestSameSubject(t *testing.T) {
	t.Parallel()
	windows := `CN=OOS S2S, OU="Office, Berlin", O=Contoso, S=Bavaria, C=DE, E=pki@contoso.com`
	for claim, other := range map[string]string{
		"itself":               windows,
		"in another case":      strings.ToUpper(windows),
		"the other way round":  `E=pki@contoso.com, C=DE, S=Bavaria, O=Contoso, OU="Office, Berlin", CN=OOS S2S`,
		"by RFC 4514":          `CN=OOS S2S,OU=Office\, Berlin,O=Contoso,ST=Bavaria,C=DE,emailAddress=pki@contoso.com`,
		"by OpenSSL":           `C = DE, ST = Bavaria, O = Contoso, OU = "Office, Berlin", CN = OOS S2S, emailAddress = pki@contoso.com`,
		"by OpenSSL of before": `/C=DE/ST=Bavaria/O=Contoso/OU=Office, Berlin/CN=OOS S2S/emailAddress=pki@contoso.com`,
	} {
		t.Run(claim, func(t *testing.T) {
			if !farm.SameSubject(windows, other) || !farm.SameSubject(other, windows) {
				t.Errorf("%s is not %s", other, windows)
			}
		})
	}
	for _, different := range []string{"", "OOS S2S", "CN=OOS S2S", strings.Replace(windows, "CN=OOS S2S", "CN=OOS S2S 2", 1), windows + ", CN=OOS S2S"} {
		if farm.SameSubject(windows, different) {
			t.Errorf("%q is taken for %s", different, windows)
		}
	}
	if farm.SameSubject("", "") || farm.SameSubject("OOS", "OOS") {
		t.Error("what is not a distinguished name is one")
	}
}

func FuzzSameSubject(f *testing.F) {
	f.Add(`CN=OOS S2S, OU="Office, Berlin"`, "/CN=a/O=b")
	f.Add(`CN=a\`, `CN="`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if farm.SameSubject(a, b) != farm.SameSubject(b, a) {
			t.Errorf("%q and %q: it depends on the order", a, b)
		}
		if farm.SameSubject(a, b) && !farm.SameSubject(a, a) {
			t.Errorf("%q is %q, and not itself", a, b)
		}
	})
}

func TestIdentityOf_KeepsNoMoreThanACertificateHas(t *testing.T) {
	t.Parallel()
	got := farm.IdentityOf(farm.StoreCertificate{Thumbprint: "A", Subject: "CN=OOS S2S, O=Contoso"})
	if diff := cmp.Diff([]string{"oos s2s"}, got.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	endless := farm.IdentityOf(farm.StoreCertificate{Thumbprint: "A", Subject: strings.Repeat("CN=x,", 5000)})
	if size := farm.SizeOf(endless); size > 2000 {
		t.Errorf("a server's endless subject makes an identity of %d bytes", size)
	}
}
