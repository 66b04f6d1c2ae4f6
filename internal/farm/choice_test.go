package farm_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestDecision_Validate(t *testing.T) {
	complete := farm.Decision{Choice: farm.Skip, Server: "oos-01", Digest: "0123456789ab", By: "ada", Reason: "it is being replaced"}
	for _, choice := range farm.Choices() {
		t.Run(string(choice)+" is accepted when complete", func(t *testing.T) {
			d := complete
			d.Choice = choice
			if err := d.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, c := range []struct {
		name   string
		change func(*farm.Decision)
		want   string
	}{
		{"no choice", func(d *farm.Decision) { d.Choice = "" }, `"" is not one of the choices`},
		{"unknown choice", func(d *farm.Decision) { d.Choice = "ignore" }, `"ignore" is not one of the choices`},
		{"no operator", func(d *farm.Decision) { d.By = "" }, "say who"},
		{"no reason", func(d *farm.Decision) { d.Reason = "" }, "give a reason"},
		{"approval without a digest", func(d *farm.Decision) { d.Choice, d.Digest = farm.Approve, "" }, "give the digest"},
		{"approval that accepts", func(d *farm.Decision) { d.Choice, d.Accept = farm.Approve, []string{"pending-reboot"} }, "only a retry accepts"},
		{"retry that accepts what nobody can", func(d *farm.Decision) { d.Choice, d.Accept = farm.Retry, []string{"masters-differ"} }, "can never be accepted"},
		{"skip without a server", func(d *farm.Decision) { d.Server = "" }, "name the server"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			d := complete
			c.change(&d)
			if err := d.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Validate() = %v, want an error that contains %q", err, c.want)
			}
		})
	}
}
