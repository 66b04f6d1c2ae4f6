package delivery_test

import (
	"fmt"
	"testing"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// BenchmarkFind finds the last of several farms with ten certificates each, by what an
// event has of one.
func BenchmarkFind(b *testing.B) {
	for _, farms := range []int{10, 1000} {
		f := &fakeTemporal{}
		for i := range farms {
			var all []farm.CertificateIdentity
			for k := range 10 {
				n := i*10 + k
				all = append(all, farm.CertificateIdentity{
					Thumbprint: farm.Thumbprint(fmt.Sprintf("%040X", n)), SHA256: fmt.Sprintf("%064X", n), Serial: fmt.Sprintf("%X", n+1),
					Subject: fmt.Sprintf("CN=oos-%d.contoso.com, OU=Office, O=Contoso, C=DE", n), Names: []string{fmt.Sprintf("oos-%d.contoso.com", n), fmt.Sprintf("oos-%d", n)},
				})
			}
			f.run(b, fmt.Sprintf("farm-%04d", i), "", using(all...))
		}
		d := delivery.New(client.New(f.dial(b)), nil, zap.NewNop())
		if _, err := d.Find(b.Context(), event.Expiry{Thumbprint: "unknown"}, delivery.Source{}); err != nil { // lists the farms
			b.Fatal(err)
		}
		last := farms*10 - 1
		for name, e := range map[string]event.Expiry{
			"thumbprint": {Thumbprint: farm.Thumbprint(fmt.Sprintf("%040X", last))},
			"serial":     {Serials: []string{fmt.Sprintf("%X", last+1)}, Names: []string{fmt.Sprintf("oos-%d", last)}},
			"subject":    {Subject: fmt.Sprintf("/C=DE/O=Contoso/OU=Office/CN=oos-%d.contoso.com", last)},
			"name":       {Names: []string{"oos.contoso.com", fmt.Sprintf("OOS-%d", last)}},
		} {
			b.Run(fmt.Sprintf("%s/farms=%d", name, farms), func(b *testing.B) {
				for b.Loop() {
					if got, err := d.Find(b.Context(), e, delivery.Source{}); err != nil || len(got.Farms) != 1 {
						b.Fatalf("got %+v, %v", got, err)
					}
				}
			})
		}
	}
}
