package farm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestDecision_Validate(t *testing.T) {
	complete := farm.Decision{Choice: farm.Skip, Server: "oos-01", Digest: "0123456789ab", By: "ada", Reason: "it is being replaced"}
	for _, choice := range farm.Choices() {
		t.Run(string(choice)+" is accepted when complete", func(t *testing.T) {
			d := complete
			if d.Choice = choice; choice == farm.Postpone {
				d.Until = epoch
			}
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
		{"choice that is long", func(d *farm.Decision) { d.Choice = farm.Choice(strings.Repeat("ignore", 1<<16)) }, `"ignoreignoreignoreig" is not one of the choices`},
		{"unknown choice", func(d *farm.Decision) { d.Choice = "ignore" }, `"ignore" is not one of the choices`},
		{"postponement without a time", func(d *farm.Decision) { d.Choice = farm.Postpone }, "a time to wait until"},
		{"time for something else", func(d *farm.Decision) { d.Until = epoch }, "a time to wait until"},
		{"no operator", func(d *farm.Decision) { d.By = "" }, "say who"},
		{"no reason", func(d *farm.Decision) { d.Reason = "" }, "give a reason"},
		{"approval without a digest", func(d *farm.Decision) { d.Choice, d.Digest = farm.Approve, "" }, "give the digest"},
		{"approval that accepts", func(d *farm.Decision) { d.Choice, d.Accept = farm.Approve, []string{"pending-reboot"} }, "only a retry accepts"},
		{"retry that accepts what nobody can", func(d *farm.Decision) { d.Choice, d.Accept = farm.Retry, []string{"masters-differ"} }, "can never be accepted"},
		{"name that is too long", func(d *farm.Decision) { d.By = strings.Repeat("a", 301) }, "may have 300 bytes"},
		{"server that is too long", func(d *farm.Decision) { d.Server = strings.Repeat("a", 301) }, "may have 300 bytes"},
		{"digest that is too long", func(d *farm.Decision) { d.Choice, d.Digest = farm.Approve, strings.Repeat("0", 301) }, "may have 300 bytes"},
		{"reason that is too long", func(d *farm.Decision) { d.Reason = strings.Repeat("a", 1001) }, "may have 1000 bytes"},
		{"retry that accepts too much", func(d *farm.Decision) {
			d.Choice, d.Accept = farm.Retry, slices.Repeat([]string{"pending-reboot"}, 101)
		}, "at most 100 findings"},
		{"retry that accepts what is too long", func(d *farm.Decision) {
			d.Choice, d.Accept = farm.Retry, []string{"pending-reboot@" + strings.Repeat("a", 300)}
		}, "at most 100 findings"},
		{"skip without a server", func(d *farm.Decision) { d.Server = "" }, "name the server"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			d := complete
			c.change(&d)
			err := d.Validate()
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Validate() = %v, want an error that contains %q", err, c.want)
			}
		})
	}
}
