package farm

import (
	"fmt"
	"time"
)

// FormatDuration is how operators read how long something takes: tenths of seconds
// below ten seconds, and at most two units above, such as "3m05s", "31m" or "2d04h".
func FormatDuration(d time.Duration) string {
	switch {
	case d < 10*time.Second-50*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute-time.Second/2:
		return fmt.Sprintf("%ds", d.Round(time.Second)/time.Second)
	case d < time.Hour-time.Second/2:
		return formatUnits(d.Round(time.Second), time.Minute, "m", time.Second, "s")
	case d < 24*time.Hour-time.Minute/2:
		return formatUnits(d.Round(time.Minute), time.Hour, "h", time.Minute, "m")
	}
	return formatUnits(d.Round(time.Hour), 24*time.Hour, "d", time.Hour, "h")
}

func formatUnits(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d%s", d/large, largeName)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%02d%s", rest, smallName)
	}
	return text
}
