package scriptcoverage

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	lines := "a.ps1\t1\t1\tf\t$x = 1\na.ps1\t2\t1\tf\t$x = 1\nb.ps1\t1\t1\t-\tGet-Date\nb.ps1\t2\t1\t-\tGet-Host\nw.ps1\t1\t1\tg\t$y\nw.ps1\t2\t1\tg\t$z\n"
	all, err := parseStatements(lines)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "list.txt")
	text := "# Why.\n[needs Windows]\nw.ps1 g: *\n[depends on timing]\nb.ps1 -: Get-Host\n[not run]\na.ps1 f: $x = 1 #2\nc.ps1 -: gone\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		hit  []int
		want Report
	}{
		{"as listed", []int{0, 2}, Report{6, 2, 2, []string{"is listed, but not a statement: c.ps1 -: gone"}}},
		{"run by chance", []int{0, 2, 3}, Report{6, 3, 2, []string{"is listed, but not a statement: c.ps1 -: gone"}}},
		{
			"other statements than listed",
			[]int{1, 2, 4},
			Report{6, 1, 1, []string{
				"is listed, but not a statement: c.ps1 -: gone", "is not run: a.ps1 f: $x = 1",
				"is run, but listed: a.ps1 f: $x = 1 #2", "is run, but listed: w.ps1 g: $y",
			}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			measured := &Coverage{plan: func() error { return nil }, statements: all, hit: map[statement]bool{}, dir: t.TempDir()}
			for _, i := range c.hit {
				measured.hit[all[i]] = true
			}
			got, err := measured.Check(path, func(string) bool { return false })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}
