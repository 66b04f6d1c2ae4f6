package workflows

import "go.temporal.io/sdk/temporal"

// SearchAttributes lists the search attributes that a namespace must have
// before a worker starts.
func SearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		FarmAttribute, PhaseAttribute, ThumbprintAttribute, NeedsOperatorAttribute,
	}
}
