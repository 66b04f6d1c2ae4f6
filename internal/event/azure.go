package event

import "strings"

func showsAzure(_ Message, first map[string]any) bool {
	kind, _ := first["type"].(string)
	return first["eventType"] != nil || first["specversion"] != nil && strings.HasPrefix(kind, microsoft)
}

// decodeAzure reads what Event Grid sends: events of its own schema, or CloudEvents.
// A batch may mix them.
func decodeAzure(m Message, _ Fields) (Batch, error) {
	records, err := readCloudEvents(m)
	if err != nil {
		return Batch{}, err
	}
	return decodeRecords(records, func(o object) (Expiry, error) {
		_, isGridEvent := o.fields["eventType"]
		_, isCloudEvent := o.fields["specversion"]
		switch {
		case isCloudEvent:
			return fromCloudEvent(o)
		case isGridEvent:
			return fromGridEvent(o)
		default:
			return Expiry{}, invalidError(o.place, "is neither a CloudEvent (no specversion) nor an Event Grid event (no eventType)",
				"send events of Event Grid to this source")
		}
	})
}

// fromGridEvent reads an event of the Event Grid schema.
//
// Source: Microsoft, "Azure Event Grid event schema".
func fromGridEvent(o object) (Expiry, error) {
	return fromEnvelope(o, "topic", "eventType", "eventTime")
}

// readKeyVault reads the data that all certificate events of Key Vault carry.
//
// Source: Microsoft, "Azure Key Vault as Event Grid source".
func readKeyVault(e *Expiry, o object) error {
	d, err := o.eventData()
	if err != nil {
		return err
	}
	if e.Vault, err = d.requiredText("VaultName"); err != nil {
		return err
	}
	if e.Certificate, err = d.requiredText("ObjectName"); err != nil {
		return err
	}
	if e.Version, err = d.optionalText("Version"); err != nil {
		return err
	}
	e.NotAfter, err = d.optionalEpoch("EXP")
	return err
}
