package powershell_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/scriptcoverage"
)

// leastCovered is the part of the statements that tests must run, in percent,
// of those that can be run without Windows.
const leastCovered = 95

var (
	// coverage is nil unless FARMTRUST_COVERAGE is set: breakpoints take time.
	coverage *scriptcoverage.Coverage
	// wineRan is set when Wine has run the statements that need it.
	wineRan atomic.Bool
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

// runTests runs the tests and, where coverage is measured, fails when it is not
// as testdata/coverage/uncovered.txt says.
func runTests(m *testing.M) (code int) {
	defer closeEngines()
	path, err := pwsh.Find()
	if os.Getenv("FARMTRUST_COVERAGE") == "" || err != nil {
		return m.Run()
	}
	if coverage, err = scriptcoverage.Start(path, "scripts", closeStoresOnWine); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = coverage.Close() }()
	if code = m.Run(); code != 0 || !everyTestRan() {
		return code
	}
	return checkCoverage()
}

func checkCoverage() (code int) {
	report, err := coverage.Check("testdata/coverage/uncovered.txt", func(file string) bool {
		return !wineRan.Load() && strings.HasPrefix(file, "prelude/windows/")
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Printf("statements of scripts: %d, run %d; %d need Windows, of the others %.1f %%\n",
		report.Statements, report.Run, report.Elsewhere, report.Percent())
	if report.Percent() < leastCovered {
		report.Problems = append(report.Problems, fmt.Sprintf("less than %d %% were run", leastCovered))
	}
	if len(report.Problems) > 0 {
		fmt.Printf("FAIL: statement coverage of the scripts:\n%s\n", strings.Join(report.Problems, "\n"))
		return 1
	}
	return 0
}

// everyTestRan reports whether this is a run of all tests.
func everyTestRan() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// instrument returns the prelude and the script with breakpoints, where coverage
// is measured.
func instrument(prelude, script string) (string, string, error) {
	if coverage == nil {
		return prelude, script, nil
	}
	prelude, err := coverage.Instrument("", prelude, script)
	return prelude, script, err
}

// instrumentFile does the same for a script that runs from a file.
func instrumentFile(path string) (string, error) {
	if coverage == nil {
		return path, nil
	}
	return coverage.InstrumentFile(path)
}
