package farm

import "slices"

// CodeReason is the code of a finding that stops a rotation, and what there is to
// say about accepting it.
type CodeReason struct{ Code, Reason string }

// Acceptable lists the codes of findings that an operator can accept. The reason
// is what follows from that.
func Acceptable() []CodeReason { return slices.Clone(acceptable) }

// NeverAccepted lists the codes of findings that nobody can accept: the rotation
// would do harm, or claim what it cannot know. The reason says which.
func NeverAccepted() []CodeReason { return slices.Clone(neverAccepted) }

// AcceptanceEffect says what follows from accepting findings with this code;
// empty when nobody can.
func AcceptanceEffect(code string) string { return findReason(acceptable, code) }

// NeverAcceptedBecause says why nobody can accept findings with this code; empty
// when an operator can.
func NeverAcceptedBecause(code string) string { return findReason(neverAccepted, code) }

// acceptable holds what leaves the rest of the farm in order if it turns out
// badly, and what the operator can know better than farmtrust.
var acceptable = []CodeReason{
	{"pending-reboot", "the server is restarted with what an update has left half-installed; if its services do not come up, the rotation blocks there or rolls back"},
	{"dsc-auto-correct", "Desired State Configuration may put back what the rotation sets; the next inspection shows that as drift"},
	{"machine-not-configured", "the machine does not get the certificate; if it serves users, their data refreshes fail from the cutover on"},
	{"sharepoint-server-not-configured", "the server is not restarted, and does not accept the new certificate until it is"},
	{"forests-differ", "Microsoft supports server-to-server authentication within one forest only; the rotation proves configuration and keys, and no sign-in"},
	{"no-user-profiles", "SharePoint cannot map the users of data refreshes to profiles; the rotation proves configuration and keys, and no sign-in"},
	{"user-profile-not-in-proxy-group", "the sites cannot map the users of data refreshes to profiles; the rotation proves configuration and keys, and no sign-in"},
	{"no-app-management", "granting the app permissions may fail, and the rotation then blocks or rolls back"},
	{"no-subscription-settings", "granting the app permissions may fail, and the rotation then blocks or rolls back"},
	{"oauth-over-http-off", "data refreshes fail on the sites without TLS, whatever the certificate"},
	{"discovery-unhealthy", "the health gate after a restart asks for no more than the answer from before"},
	{"target-ends-earlier", "the trust ends sooner than with the certificate in use, and the next rotation is due sooner"},
	{"no-site-answers", "nothing shows whether SharePoint serves users after a restart"},
}

// neverAccepted holds what breaks the trust for certain, what leaves farmtrust
// guessing, and what one line of the configuration settles.
var neverAccepted = []CodeReason{
	{"not-elevated", "such an account sees almost nothing, so every comparison would be wrong"},
	{"powershell-old", "the scripts need a newer PowerShell and would fail half-way"},
	{"wacsm-stopped", "the server's farm cannot be read, and a setting does not reach a stopped service"},
	{"not-joined", "the server has no farm to read or set; take it out of office.servers"},
	{"still-used", "what uses the certificate fails once it is deleted"},
	{"masters-differ", "the servers belong to different farms; setting one would break the other"},
	{"master-not-configured", "only the master can set the certificate"},
	{"master-left-out", "only the master can set the certificate"},
	{"machine-not-in-farm", "it no longer follows the master's settings, so the cutover would wait for it in vain; take it out of office.servers"},
	{"office-server-unreachable", "nothing would show whether the server works after its restart"},
	{"sharepoint-service-stopped", "after its restart the server would be waited for in vain, with the farm cut over"},
	{"s2s-name-ambiguous", "which certificate is in use would be a guess, and with it what a rollback restores and a retirement deletes"},
	{"subject-shared-in-use", "the other certificate would have to be archived while something uses it"},
	{"key-storage-provider", "Office Online Server is not known to sign with such a key, so every data refresh could fail"},
	{"friendly-name-taken", "Office Online Server selects by friendly name and could take the other certificate"},
	{"friendly-names-differ", "one setting names the certificate on every office server"},
	{"issuers-ambiguous", "which issuer SharePoint uses is not documented, so the wrong one could be updated"},
	{"issuer-name-taken", "the issuer could not be created, after the farm has been cut over"},
	{"issuer-realm-changed", "the issuer trusts the certificate under a name that no token has; it is left from a repair, and one cmdlet removes it"},
	{"not-yet-valid", "the server would refuse the certificate, and every data refresh would fail"},
	{"expired", "the server would refuse the certificate, and every data refresh would fail"},
	{"no-certificate", "there is nothing to rotate to"},
	{"certificate-not-yet-valid", "every data refresh would fail"},
	{"certificate-expired", "every data refresh would fail"},
	{"certificate-key-not-rsa", "tokens are signed with RSA"},
	{"certificate-key-too-short", "a key that short can be broken"},
	{"certificate-is-ca", "any service on an office server could issue certificates that these machines trust"},
	{"certificate-unexpected", "the configuration says which certificate it must be; change certificate.expect if it should be another"},
	{"chain-expired", "SharePoint validates the whole chain, so every data refresh would fail"},
	{"rollback-blocked", "what would be restored is not trusted"},
	{"nothing-to-restore", "a rollback would leave the issuer with the new certificate, and the rest without"},
	{"way-back-refused", "the way back would be refused in the middle"},
	{"changed-since", "a rollback would overwrite what another administrator has set since"},
}

// findReason returns the reason that a list gives for a code; empty where it does
// not have it.
func findReason(list []CodeReason, code string) string {
	c, _ := findFirst(list, func(c CodeReason) bool { return c.Code == code })
	return c.Reason
}

func codesOf(list []CodeReason) []string {
	codes := make([]string, len(list))
	for i, c := range list {
		codes[i] = c.Code
	}
	return codes
}
