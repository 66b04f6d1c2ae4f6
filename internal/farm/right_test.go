package farm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestEachChoiceNeedsARight(t *testing.T) {
	for _, choice := range farm.Choices() {
		for _, right := range (farm.Decision{Choice: choice}).Needs(false) {
			if !slices.Contains(farm.Rights(), right) {
				t.Errorf("%s needs %q", choice, right)
			}
		}
	}
	if got := (farm.Decision{Choice: farm.Approve}).Needs(true); !slices.Equal(got, []farm.Right{farm.RightDelete}) {
		t.Errorf("approving a deletion needs %v", got)
	}
}

// What is signed has a line for each thing, and no text can add one.
func TestAStatementHasOneText(t *testing.T) {
	at := time.Date(2026, 11, 29, 6, 0, 0, 0, time.FixedZone("", 3600))
	d := farm.Decision{Choice: farm.Skip, Server: "oos-03", Force: true, By: "somebody", Reason: "one\nrun: another <b>", Proof: &farm.Proof{Nonce: "x"}}
	want := `farmtrust decision, version 1
farm: contoso
workflow: rotate/contoso
run: 0197
content: {"choice":"skip","server":"oos-03","force":true,"by":"","reason":"one\nrun: another \u003cb\u003e"}
time: 2026-11-29T05:00:00Z
nonce: 00112233445566778899aabbccddeeff
`
	s := d.State("contoso", "rotate/contoso", "0197", false)
	if got := s.Text(at, "00112233445566778899aabbccddeeff"); got != want {
		t.Errorf("got\n%s", got)
	}
	if a, b := s.TokenNonce(at, "a"), s.TokenNonce(at, "b"); a == b || len(a) != 64 || strings.ToLower(a) != a {
		t.Errorf("the nonces of tokens are %s, %s", a, b)
	}
}
