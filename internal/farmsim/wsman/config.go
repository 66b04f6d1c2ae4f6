package wsman

import (
	"fmt"
	"slices"
)

// configResponse is winrm/config, which clients read for MaxEnvelopeSizekb (pypsrp,
// the WinRM gem). It has the captured elements of what this service has.
func (e *Endpoint) configResponse() string {
	o := e.options
	level := "Relaxed"
	if o.Binding == Strict {
		level = "Strict"
	}
	return fmt.Sprintf(`<cfg:Config xmlns:cfg="%s"><cfg:MaxEnvelopeSizekb>%d</cfg:MaxEnvelopeSizekb>`+
		`<cfg:MaxTimeoutms>%d</cfg:MaxTimeoutms><cfg:Service><cfg:MaxConcurrentOperationsPerUser>%d</cfg:MaxConcurrentOperationsPerUser>`+
		`<cfg:AllowUnencrypted>false</cfg:AllowUnencrypted><cfg:Auth><cfg:Basic>%t</cfg:Basic><cfg:Kerberos>false</cfg:Kerberos>`+
		`<cfg:Negotiate>%t</cfg:Negotiate><cfg:Certificate>false</cfg:Certificate><cfg:CredSSP>false</cfg:CredSSP>`+
		`<cfg:CbtHardeningLevel>%s</cfg:CbtHardeningLevel></cfg:Auth></cfg:Service><cfg:Winrs><cfg:IdleTimeout>%d</cfg:IdleTimeout>`+
		`<cfg:MaxShellsPerUser>%d</cfg:MaxShellsPerUser></cfg:Winrs></cfg:Config>`,
		configResource, o.MaxEnvelopeKB, o.OperationTimeout.Milliseconds(), o.MaxOperations,
		slices.Contains(o.Offers, Basic), slices.Contains(o.Offers, NTLM), level, defaultIdle.Milliseconds(), o.MaxShellsPerUser)
}
