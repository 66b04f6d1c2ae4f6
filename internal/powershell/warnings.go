package powershell

import (
	"context"
	"slices"
)

// Limits of what a server can say in warnings.
const (
	maxWarnings      = 5
	maxWarningLength = 500 // in characters
)

type warningsKey struct{}

// WithWarnings returns a context in which [Run] hands over what cmdlets warn of, each
// text once for each script. They are the product's own words, and may be in the
// server's language.
func WithWarnings(ctx context.Context, warn func(server, text string)) context.Context {
	return context.WithValue(ctx, warningsKey{}, warn)
}

// boundWarnings returns few warnings of few words, each once.
func boundWarnings(warnings []string) []string {
	var kept []string
	for _, text := range warnings {
		text = printableLine(text, maxWarningLength-len("..."))
		if text != "" && !slices.Contains(kept, text) && len(kept) < maxWarnings {
			kept = append(kept, text)
		}
	}
	return kept
}
