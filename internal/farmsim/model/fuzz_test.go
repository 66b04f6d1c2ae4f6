package model_test

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// FuzzImportPFX: whatever arrives as a PFX, importing it ends, and ends with an
// error of Windows' or with a certificate in the store.
func FuzzImportPFX(f *testing.F) {
	p := ecPair(f, "s2s", nil) // an RSA key takes long to make here
	f.Add(p.pfx(f))
	f.Add(p.named(f))
	f.Add(p.modern(f))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, pfx []byte) {
		s := &scene{t, model.New(model.Policy{})}
		s.ok(s.world.AddMachine(model.MachineSpec{Host: member, Build: 17763}))
		c, err := s.on(member).ImportPFX(model.StoreAdd, pfx, []byte(password), machineKey)
		found, listErr := s.on(member).Certificates(model.My)
		s.ok(listErr)
		if imported := err == nil; imported != (len(found) == 1) || imported && c.Thumbprint != found[0].Thumbprint {
			t.Errorf("import said %v, and the store holds %d certificates", err, len(found))
		}
	})
}
