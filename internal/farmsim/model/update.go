package model

// InstallUpdates leaves a machine as updates of Windows do until it is rebooted: a
// reboot is pending.
func (w *World) InstallUpdates(host string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.findMachine(host)
	if err != nil {
		return err
	}
	m.pendingReboot = true
	return nil
}
