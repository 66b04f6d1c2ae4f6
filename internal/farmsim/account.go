package farmsim

import "strings"

// Logons is what the domain knows of the account's logons.
type Logons struct {
	// Refused counts the logons with a wrong password, on all servers.
	Refused int
	// Locked reports whether there were [Options.LockAfter]: then even the right one is
	// refused.
	Locked bool
}

// Logons returns how the account stands.
func (f *Farm) Logons() Logons {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logons()
}

// logons is [Farm.Logons] while the mutex is held.
func (f *Farm) logons() Logons {
	return Logons{Refused: f.refused, Locked: f.options.LockAfter > 0 && f.refused >= f.options.LockAfter}
}

// SetPassword gives the account another password, as an administrator of the domain does.
// The farm's files keep the one before.
func (f *Farm) SetPassword(password string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.password = password
}

// passwordOf knows the one account, however its domain is written. One that is locked has
// no password.
func (f *Farm) passwordOf(user string) (string, bool) {
	if _, name, found := strings.Cut(user, `\`); found {
		user = name
	}
	user, _, _ = strings.Cut(user, "@")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.password, strings.EqualFold(user, account) && !f.logons().Locked
}

func (f *Farm) noteRefused(string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused++
}
