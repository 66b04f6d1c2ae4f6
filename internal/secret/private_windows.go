package secret

import (
	"fmt"
	"io/fs"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// changes are the rights by which a folder, or what is in it, is exchanged.
const changes = windows.ACCESS_MASK(windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | windows.DELETE |
	fileDeleteChild | windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL)

// reads are the rights by which the content of a file is read.
const reads = windows.ACCESS_MASK(windows.FILE_READ_DATA | windows.GENERIC_READ)

// fileDeleteChild is FILE_DELETE_CHILD.
//
// Source: Microsoft, "File Access Rights Constants".
const fileDeleteChild = 0x40

// trustedInstaller is the service that owns the files of Windows.
//
// Source: Microsoft, "Security identifiers"; it is the same on every machine.
const trustedInstaller = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

// checkAccess judges a file or a folder by its owner and its access list.
func checkAccess(path string, info fs.FileInfo) error {
	descriptor, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("read the access list of %s: %w", path, err)
	}
	trusted, err := trustedAccounts()
	if err != nil {
		return err
	}
	owner, _, err := descriptor.Owner()
	if err != nil {
		return fmt.Errorf("read the owner of %s: %w", path, err)
	}
	if !slices.Contains(trusted, owner.String()) {
		return exposed(path, "belongs to "+nameOf(owner), fmt.Sprintf(`icacls "%s" /setowner "*S-1-5-32-544"`, path))
	}
	list, _, err := descriptor.DACL()
	if err != nil || list == nil {
		return exposed(path, "has no access list, so that everyone has access", closeTo(path, info, trusted, nil))
	}
	forbidden := changes
	if !info.IsDir() {
		forbidden |= reads
	}
	other, err := findOther(list, trusted, forbidden)
	switch {
	case err != nil:
		return fmt.Errorf("read the access list of %s: %w", path, err)
	case other != nil:
		return exposed(path, "gives access to "+nameOf(other), closeTo(path, info, trusted, other))
	}
	return nil
}

// findOther returns an account that an access list gives one of the forbidden rights,
// and that is not trusted; nil when there is none.
func findOther(list *windows.ACL, trusted []string, forbidden windows.ACCESS_MASK) (*windows.SID, error) {
	for i := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &entry); err != nil {
			return nil, err
		}
		if entry.Header.AceType == windows.ACCESS_DENIED_ACE_TYPE || entry.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 {
			continue
		}
		if entry.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE {
			return nil, fmt.Errorf("an entry of type %d is not understood", entry.Header.AceType)
		}
		account := (*windows.SID)(unsafe.Pointer(&entry.SidStart)) //nolint:gosec // as Windows lays out an entry
		if entry.Mask&forbidden != 0 && !slices.Contains(trusted, account.String()) {
			return account.Copy()
		}
	}
	return nil, nil
}

// checkAbove does nothing: Windows lets nobody exchange a file without a right to the
// file itself or to delete what is in its folder, and the usual folders give that to
// nobody else. Folders that do are what an administrator made so.
func checkAbove(string) error { return nil }

// trustedAccounts are the security identifiers of those who may have access: first the
// user who runs, then those who can take it anyway.
func trustedAccounts() ([]string, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("find the account of this process: %w", err)
	}
	trusted := []string{user.User.Sid.String(), trustedInstaller}
	for _, known := range []windows.WELL_KNOWN_SID_TYPE{windows.WinLocalSystemSid, windows.WinBuiltinAdministratorsSid} {
		account, err := windows.CreateWellKnownSid(known)
		if err != nil {
			return nil, fmt.Errorf("find an account of Windows: %w", err)
		}
		trusted = append(trusted, account.String())
	}
	return trusted, nil
}

// nameOf is how an administrator knows an account.
func nameOf(account *windows.SID) string {
	name, domain, _, err := account.LookupAccount("")
	if err != nil {
		return account.String()
	}
	return domain + `\` + name
}

// closeTo is the command that takes access from one account, and from all that have it
// from a folder above, and leaves it to the user who runs, SYSTEM (S-1-5-18) and
// Administrators (S-1-5-32-544). It can be pasted into cmd and into PowerShell.
func closeTo(path string, info fs.FileInfo, trusted []string, other *windows.SID) string {
	rights := "F"
	if info.IsDir() {
		rights = "(OI)(CI)F" // also what is made in it
	}
	command := fmt.Sprintf(`icacls "%s" /inheritance:r`, path)
	if other != nil {
		command += fmt.Sprintf(` /remove "*%s"`, other)
	}
	command += " /grant:r"
	for _, account := range []string{trusted[0], "S-1-5-18", "S-1-5-32-544"} {
		command += fmt.Sprintf(` "*%s:%s"`, account, rights)
	}
	return command
}

// closeAccess replaces the access list of a file or folder, and all that it inherits, by
// one for the user who runs, SYSTEM and Administrators.
func closeAccess(path string) error {
	trusted, err := trustedAccounts()
	if err != nil {
		return err
	}
	// D: access list, P: inherits nothing; OICI: also for what is made in it; FA: all rights.
	descriptor, err := windows.SecurityDescriptorFromString(
		fmt.Sprintf("D:P(A;OICI;FA;;;%s)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", trusted[0]))
	if err != nil {
		return fmt.Errorf("make an access list for %s: %w", path, err)
	}
	list, _, err := descriptor.DACL()
	if err != nil {
		return fmt.Errorf("make an access list for %s: %w", path, err)
	}
	if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil); err != nil {
		return fmt.Errorf("set the access list of %s: %w", path, err)
	}
	return nil
}
