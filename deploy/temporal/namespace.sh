#!/bin/sh
# Creates the namespace and the search attributes that rotations set. What
# exists is left as it is. Finished rotations can be looked at for 30 days.
set -eu

temporal operator namespace describe "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
	temporal operator namespace create --retention 30d "$TEMPORAL_NAMESPACE"

temporal operator search-attribute create \
	--name Farm --type Keyword \
	--name Phase --type Keyword \
	--name Thumbprint --type Keyword \
	--name NeedsOperator --type Bool
