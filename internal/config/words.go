package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// maxListedNames bounds how many names a remedy lists: a file may have 1,000 farms.
const maxListedNames = 20

// suggestWord returns a remedy for a misspelt word: the known word that was most
// likely meant, or else the list of known words, introduced by group.
func suggestWord(word string, known []string, group string) string {
	best := farm.NearestName(word, known)
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %s?", best)
	case len(known) > maxListedNames:
		return fmt.Sprintf("%s are %s and %d more", group, strings.Join(known[:maxListedNames], ", "), len(known)-maxListedNames)
	case len(known) == 0:
		return "there are no " + strings.TrimPrefix(group, "the ")
	default:
		return fmt.Sprintf("%s are %s", group, strings.Join(known, ", "))
	}
}

// parseDuration is [time.ParseDuration], but also reads days, which come first:
// "1d12h".
func parseDuration(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	count, err := strconv.ParseUint(days, 10, 32)
	if err != nil || count > uint64(math.MaxInt64/day) {
		return 0, fmt.Errorf("%q is not a number of days", days)
	}
	total := time.Duration(count) * day
	if rest == "" {
		return total, nil
	}
	extra, err := time.ParseDuration(rest)
	if err != nil || extra < 0 || total > math.MaxInt64-extra {
		return 0, fmt.Errorf("%q is not a positive duration", rest)
	}
	return total + extra, nil
}

// formatDuration writes a duration as the file would: "7d", "24h", "16m".
// [parseDuration] reads it.
func formatDuration(d time.Duration) string {
	if d > day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// listWords lists the words that are allowed: "a", "a or b", "a, b or c".
func listWords[T ~string](words []T) string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = string(word)
	}
	last := len(all) - 1
	if last < 1 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:last], ", ") + " or " + all[last]
}
