// Package powershell is what the worker sends to a Windows server and what may
// come back: the scripts, the envelope they travel in, their results, and the
// errors a call can end with.
//
// It knows nothing of transports; package winrm carries a [Call].
package powershell
