package model_test

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
)

// FuzzImportPFX: whatever arrives as a PFX, importing it ends, and ends with an
// error of Windows' or with a certificate in the store.
func FuzzImportPFX(f *testing.F) {
	p := testfarm.NewECPair(f, "s2s", nil) // an RSA key takes long to make here
	f.Add(p.PFX(f))
	f.Add(p.NamedPFX(f))
	f.Add(p.ModernPFX(f))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, pfx []byte) {
		f := &testfarm.Farm{T: t, World: model.New(model.Policy{})}
		f.OK(f.World.AddMachine(model.MachineSpec{Host: testfarm.Member, Build: 17763}))
		c, err := f.On(testfarm.Member).ImportPFX(model.StoreAdd, pfx, []byte(testfarm.Password), testfarm.MachineKey)
		found, listErr := f.On(testfarm.Member).Certificates(model.My)
		f.OK(listErr)
		if imported := err == nil; imported != (len(found) == 1) || imported && c.Thumbprint != found[0].Thumbprint {
			t.Errorf("import said %v, and the store holds %d certificates", err, len(found))
		}
	})
}
