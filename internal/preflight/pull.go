package preflight

import (
	"fmt"
	"os"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// openPulls opens what is named to take events from queues and folders. No queue is
// called.
func openPulls(pulls []config.Pull) (all []farm.Finding) {
	for _, p := range pulls {
		place := "pull[" + p.Name + "]"
		for _, ref := range p.Secrets() {
			if finding := openSecret(place, ref); finding != nil {
				all = append(all, *finding)
			}
		}
		if p.Directory == nil {
			continue
		}
		if _, err := os.ReadDir(p.Directory.Path); err != nil {
			all = append(all, stop(CodeFolder, place+".directory", fmt.Errorf("%w: make the folder, and let the worker's account read and write it", err)))
		}
	}
	return all
}
