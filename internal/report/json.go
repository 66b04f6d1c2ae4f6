package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes what programs read: v as one JSON object on one line.
func WriteJSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
