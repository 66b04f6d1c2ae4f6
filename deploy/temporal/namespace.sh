#!/bin/sh
# Creates the namespace and the search attributes that workflows set. What
# exists is left as it is. Finished rotations are kept for 30 days.
set -eu

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" ||
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d

# The server takes seconds to notice a namespace that is new.
tries=30
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
	--name Farm --type Keyword \
	--name Phase --type Keyword \
	--name Thumbprint --type Keyword \
	--name NeedsOperator --type Bool \
	--name CertificateNotAfter --type Datetime \
	--name LastInspection --type Datetime; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || exit 1
	sleep 2
done
