package controller

import (
	"encoding/json"
	"fmt"
)

// Sealer makes and checks seals that only workers can make: of what comes back from
// Temporal, they tell what a worker has written.
type Sealer interface {
	Seal(purpose string, content []byte) string
	Check(purpose string, content []byte, seal string) error
}

// sealPurpose tells the seal of a state from those of anything else.
const sealPurpose = "state of a controller"

// SealFor returns the state with the seal of the run of the controller that knows it.
//
// A replay calls it without a key ring, or with one that has another first key; nothing
// that a history holds is compared with a seal.
//
//workflowcheck:ignore
func (s State) SealFor(runID string, by Sealer) State {
	s.Seal = by.Seal(sealPurpose, s.sealedContent(runID))
	return s
}

// CheckSeal returns an error where no worker has written the state as what this run of
// its controller knows.
func (s State) CheckSeal(runID string, by Sealer) error {
	if err := by.Check(sealPurpose, s.sealedContent(runID), s.Seal); err != nil {
		return fmt.Errorf("the state of the controller of %.60q is not what run %s has left: %w", s.Farm, runID, err)
	}
	return nil
}

// sealedContent is what a seal covers: the state as it is once it was sent, which is the
// same for anybody who writes it and for anybody who reads it. A later version that writes
// states otherwise takes them for unsealed, and recalls.
func (s State) sealedContent(runID string) []byte {
	s.Seal = ""
	sent := encodeState(s)
	var received State
	if json.Unmarshal(sent, &received) == nil {
		sent = encodeState(received)
	}
	return append([]byte(runID+"\n"), sent...)
}

func encodeState(s State) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return nil // a state holds nothing that cannot be sent
	}
	return text
}
