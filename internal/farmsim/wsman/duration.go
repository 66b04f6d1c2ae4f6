package wsman

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// xs:duration without years and months, whose length is not fixed; WinRM
// clients send none.
var duration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// parseDuration reads an xs:duration such as PT60S or P0DT1H2M3.5S.
func parseDuration(s string) (time.Duration, error) {
	m := duration.FindStringSubmatch(s)
	if m == nil || s == "P" || s[len(s)-1] == 'T' {
		return 0, fmt.Errorf("%q is no duration", s)
	}
	var seconds float64
	for i, unit := range []float64{24 * 3600, 3600, 60, 1} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(m[i+1], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration: %w", s, err)
		}
		seconds += n * unit
	}
	if seconds > math.MaxInt64/float64(time.Second)/2 {
		return 0, fmt.Errorf("%q is longer than can be counted", s)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// formatDuration writes a duration as Windows does: PT7200.000S.
func formatDuration(d time.Duration) string { return fmt.Sprintf("PT%.3fS", d.Seconds()) }
