package farm_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestIsName(t *testing.T) {
	for name, want := range map[string]bool{
		"contoso": true, "contoso-berlin_2.x": true, "7": true, strings.Repeat("x", 50): true,
		"": false, ".": false, "-x": false, "a/b": false, "a b": false, "a\nb": false, "\u00fcber": false, strings.Repeat("x", 51): false,
	} {
		if got := farm.IsName(name); got != want {
			t.Errorf("IsName(%q) is %t", name, got)
		}
	}
}
