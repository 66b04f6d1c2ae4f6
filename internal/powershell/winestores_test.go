package powershell_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// runScript runs a script of the test's own on the prelude.
func (w *wine) runScript(t *testing.T, script string, params, result any) {
	t.Helper()
	call := powershell.Call{Script: "Probe", Params: params}
	if err := w.runText(t.Context(), target, call, script, result); err != nil {
		t.Fatal(err)
	}
}

// listStores returns the certificates of stores that a test knows, by thumbprint,
// each with its store, name and key; a new process reads them.
func (w *wine) listStores(t *testing.T, known ...testCertificate) []string {
	t.Helper()
	var thumbprints, found []string
	for _, m := range known {
		thumbprints = append(thumbprints, m.thumbprint)
	}
	w.runScript(t, `[CmdletBinding()] param([string[]] $Known)
$found = @(foreach ($store in 'My', 'CA', 'Root') {
    foreach ($certificate in Get-StoreCertificate -Store $store) {
        $number = [array]::IndexOf($Known, $certificate.Thumbprint)
        if ($number -ge 0) { '{0} {1} {2} {3}' -f $store, $number, $certificate.HasPrivateKey, $certificate.FriendlyName }
    }
})
return , $found`, map[string]any{"Known": thumbprints}, &found)
	return sorted(found)
}

// held is a certificate that another administrator put into a store.
type held struct {
	Store, Name string
	Der         []byte
}

// addCertificates puts certificates into stores as another administrator would have.
func (w *wine) addCertificates(t *testing.T, all ...held) {
	t.Helper()
	w.runScript(t, `[CmdletBinding()] param([object[]] $All)
foreach ($one in $All) {
    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store $one.Store, 'LocalMachine'
    $opened.Open('ReadWrite')
    $opened.Add((New-PublicCertificate -Der ([Convert]::FromBase64String($one.Der))))
    foreach ($certificate in $opened.Certificates) {
        if ($one.Name -ne '' -and [Convert]::ToBase64String($certificate.RawData) -eq $one.Der) { $certificate.FriendlyName = $one.Name }
    }
    Close-WineStore $opened
}
$true`, map[string]any{"All": all}, new(bool))
}

// winePassword is plain ASCII: Wine hands others to GnuTLS in a code page that
// GnuTLS does not expect.
const winePassword = "a password"

func newCertificateForWine(t *testing.T, name string) testCertificate {
	t.Helper()
	return newCertificateIn(t, name, pkcs12.Modern, winePassword)
}

func importOnWine(m testCertificate) powershell.ImportS2SCertificate {
	params := importOf(m)
	params.Password = []byte(winePassword)
	return params
}

func TestWindowsStores(t *testing.T) {
	t.Parallel()
	w := newWine(t)
	wineRan.Store(true)
	t.Run("an import puts each part where it belongs, once", func(t *testing.T) {
		for _, encoder := range []*pkcs12.Encoder{pkcs12.Modern, pkcs12.LegacyDES} {
			s2s, issuing := newCertificateIn(t, "s2s.contoso.com", encoder, winePassword), newCertificate(t, "Contoso Issuing CA")
			params := importOnWine(s2s)
			params.FriendlyName += s2s.thumbprint
			params.SelfSigned, params.Intermediates = true, []string{b64(issuing.der)}
			first, second := mustRun(t, w, params), mustRun(t, w, params)
			if !cmp.Equal(first.Added, []string{"My", "CA", "Root"}) || second.Changed {
				t.Errorf("added %v, then %v; want My, CA, Root, then nothing", first.Added, second.Added)
			}
			want := []string{"CA 1 False ", "My 0 True " + params.FriendlyName, "Root 0 False "}
			if diff := cmp.Diff(want, w.listStores(t, s2s, issuing)); diff != "" {
				t.Errorf("stores, want -, got +:\n%s", diff)
			}
		}
	})
	t.Run("an import gives a copy its key and its name", func(t *testing.T) {
		s2s := newCertificateForWine(t, "bare.contoso.com")
		params := importOnWine(s2s)
		params.FriendlyName = "bare"
		w.addCertificates(t, held{"My", "", s2s.der})
		if got := mustRun(t, w, params); !got.Certificate.HasKey || got.Certificate.FriendlyName != "bare" {
			t.Errorf("got %+v", got.Certificate)
		}
		if got := w.listStores(t, s2s); !cmp.Equal(got, []string{"My 0 True bare"}) {
			t.Errorf("stores hold %v", got)
		}
	})
	t.Run("a refused import leaves what was there", func(t *testing.T) { refuseOnWine(t, w) })
	t.Run("an export gives the public part", func(t *testing.T) {
		s2s := newCertificate(t, "export.contoso.com")
		w.addCertificates(t, held{"My", "export", s2s.der})
		if got := mustRun(t, w, powershell.ExportS2SCertificate{Thumbprint: s2s.thumbprint}); !cmp.Equal(got.DER, s2s.der) {
			t.Errorf("got %d bytes", len(got.DER))
		}
	})
	t.Run("a removal takes one certificate from one store", func(t *testing.T) {
		s2s, another := newCertificate(t, "gone.contoso.com"), newCertificate(t, "stays.contoso.com")
		w.addCertificates(t, held{"My", "gone", s2s.der}, held{"CA", "gone", s2s.der}, held{"My", "stays", another.der}, held{"CA", "stays", another.der})
		w.runScript(t, `[CmdletBinding()] param([string] $Thumbprint)
Remove-StoreCertificate -Store My -Thumbprint $Thumbprint
$null -eq (Find-PersonalCertificate -Thumbprint $Thumbprint)`, map[string]any{"Thumbprint": s2s.thumbprint}, new(bool))
		want := []string{"CA 0 False gone", "CA 1 False stays", "My 1 False stays"}
		if diff := cmp.Diff(want, w.listStores(t, s2s, another)); diff != "" {
			t.Errorf("stores, want -, got +:\n%s", diff)
		}
	})
	t.Run("the key of an import that was cut off is found by its name", func(t *testing.T) { findOrphanOnWine(t, w) })
	t.Run("the machine's policies are read from its registry", func(t *testing.T) { readPoliciesOnWine(t, w) })
	t.Run("the note and the central certificate store are in its registry", func(t *testing.T) { readRegistryOnWine(t, w) })
	t.Run("one thread at a time holds the mutex, and the next is told that it was abandoned", func(t *testing.T) { lockOnWine(t, w) })
	t.Run("cmd.exe carries the command line and a mebibyte", func(t *testing.T) { sendThroughCmd(t, w) })
}

// refuseOnWine imports what must not be.
func refuseOnWine(t *testing.T, w *wine) {
	t.Helper()
	theirs, s2s, another := newCertificateForWine(t, "theirs"), newCertificateForWine(t, "refused"), newCertificateForWine(t, "rival")
	w.addCertificates(t, held{"My", "theirs", theirs.der}, held{"Root", "rival", another.der})
	before := w.listStores(t, theirs, s2s, another)
	for _, c := range []struct {
		of     testCertificate
		change func(p *powershell.ImportS2SCertificate)
		id     string
	}{
		{s2s, func(p *powershell.ImportS2SCertificate) { p.Password = []byte("wrong") }, powershell.PfxRefused},
		{s2s, func(p *powershell.ImportS2SCertificate) { p.PFX = another.pfx }, powershell.WrongCertificate},
		{s2s, func(p *powershell.ImportS2SCertificate) { p.Provider = "another" }, powershell.ProviderNotApplied},
		{theirs, func(*powershell.ImportS2SCertificate) {}, powershell.NameDiffers},
		{s2s, func(p *powershell.ImportS2SCertificate) { p.FriendlyName = "rival" }, powershell.AmbiguousFriendlyName},
	} {
		params := importOnWine(c.of)
		c.change(&params)
		assertRefused(t, w, params, c.id)
	}
	if diff := cmp.Diff(before, w.listStores(t, theirs, s2s, another)); diff != "" {
		t.Errorf("the stores changed:\n%s", diff)
	}
}

// findOrphanOnWine makes keys as an import of farmtrust and somebody else leave them.
// Wine keeps keys in its registry, so that the file is one that the test names; after
// their deletion it still finds them there, so that only finding is shown.
func findOrphanOnWine(t *testing.T, w *wine) {
	t.Helper()
	type found struct {
		None, Ours, Theirs string
		Orphaned           bool
	}
	const thumbprint = "00112233445566778899AABBCCDDEEFF00112233"
	var got found
	w.runScript(t, `[CmdletBinding()] param([string] $Thumbprint)
function Find-MachineKeyFile { param([string] $Name) New-Object System.IO.FileInfo "C:\$Name" }
$none = Get-ContainerFile -Container "farmtrust-$Thumbprint"
foreach ($name in "farmtrust-$Thumbprint", 'theirs') {
    $parameters = New-Object System.Security.Cryptography.CspParameters 24
    $parameters.KeyContainerName = $name
    $parameters.Flags = [System.Security.Cryptography.CspProviderFlags]::UseMachineKeyStore
    $key = [System.Security.Cryptography.RSACryptoServiceProvider]::new(1024, $parameters)
    $key.ExportCspBlob($false) | Out-Null
    $key.Clear()
}
[pscustomobject] @{
    None = $none; Ours = Get-ContainerFile -Container "farmtrust-$Thumbprint"; Theirs = Get-ContainerFile -Container 'theirs'
    Orphaned = Test-OrphanedKey -Thumbprint $Thumbprint
}`, map[string]any{"Thumbprint": thumbprint}, &got)
	want := found{Ours: `C:\farmtrust-` + thumbprint, Theirs: `C:\theirs`, Orphaned: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func readPoliciesOnWine(t *testing.T, w *wine) {
	t.Helper()
	type policies struct {
		FIPS, Reboot, Elevated bool
		Build                  int
	}
	const script = `[pscustomobject] @{ FIPS = Test-FipsPolicy; Reboot = Test-PendingReboot; Elevated = Test-Elevated; Build = Get-WindowsBuild }`
	var before, after policies
	w.runScript(t, script, struct{}{}, &before)
	w.runScript(t, `$lsa = 'HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy'
[Microsoft.Win32.Registry]::SetValue($lsa, 'Enabled', 1)
$windows = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
[Microsoft.Win32.Registry]::SetValue($windows, 'an update', 1)
`+script, struct{}{}, &after)
	if before.FIPS || before.Reboot || !after.FIPS || !after.Reboot || !before.Elevated || before.Build == 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func readRegistryOnWine(t *testing.T, w *wine) {
	t.Helper()
	type registry struct {
		NoNote, NoStore bool
		Note, Store     string
	}
	want := registry{NoNote: true, NoStore: true, Note: `{"since":"2026-11-28T18:00:00.000Z"}`, Store: `\\files\certificates`}
	var got registry
	w.runScript(t, `[CmdletBinding()] param([string] $Note, [string] $Store)
$noNote, $noStore = ($null -eq (Get-LoadedText)), ((Get-CentralStore) -eq '')
Set-LoadedText -Text $Note
$central = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\IIS\CentralCertProvider'
[Microsoft.Win32.Registry]::SetValue($central, 'Enabled', 1)
[Microsoft.Win32.Registry]::SetValue($central, 'CertStoreLocation', $Store)
[pscustomobject] @{ NoNote = $noNote; NoStore = $noStore; Note = Get-LoadedText; Store = Get-CentralStore }`,
		map[string]any{"Note": want.Note, "Store": want.Store}, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// lockOnWine takes the mutex that is named as on a server.
func lockOnWine(t *testing.T, w *wine) {
	t.Helper()
	var got []string
	call := powershell.Call{Script: "Get-Probe", Params: struct{}{}} // It does not hold the mutex itself.
	err := w.runText(t.Context(), target, call, `function Enter-OtherThread {
    $other = [powershell]::Create([initialsessionstate]::CreateDefault2())
    try { [string] $other.AddScript('[System.Threading.Mutex]::new($false, "Global\farmtrust").WaitOne(100)').Invoke()[0] }
    finally { $other.Dispose() }
}
$mutex = Lock-Server
$while = Enter-OtherThread
Unlock-Server -Mutex $mutex
$after = Enter-OtherThread
$mutex = Open-ServerMutex
$said = 'nothing'
try { $null = Wait-ServerMutex -Mutex $mutex -Milliseconds 100 }
catch [System.Threading.AbandonedMutexException] { $said = 'abandoned' }
Unlock-Server -Mutex $mutex
Unlock-Server -Mutex (Lock-Server)
return , @($while, $after, $said)`, &got)
	if want := []string{"False", "True", "abandoned"}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// sendThroughCmd runs the command line as WinRM does.
func sendThroughCmd(t *testing.T, w *wine) {
	t.Helper()
	var engine string
	w.runScript(t, `[System.Diagnostics.Process]::GetCurrentProcess().MainModule.FileName`, struct{}{}, &engine)
	through := *w
	through.launcher, through.cmd = wineProgram("wine64"), []string{"cmd.exe", "/c", engine}
	secret := bytes.Repeat([]byte{0, 255, 26, 10, 13, 94, 37}, 1<<20/7)
	var got struct {
		Length int
		Hash   string
	}
	// What ships makes a mutex that this .NET does not make, for what is not named Get.
	call := powershell.Call{Script: "Get-Probe", Params: struct{}{}, Secrets: [][]byte{secret}}
	err := through.send(t.Context(), powershell.Prelude(), `$sha256 = New-Object System.Security.Cryptography.SHA256CryptoServiceProvider
$hash = [BitConverter]::ToString($sha256.ComputeHash($FarmTrustSecrets[0])).Replace('-', '').ToLowerInvariant()
[pscustomobject] @{ Length = $FarmTrustSecrets[0].Length; Hash = $hash }`, target, call, &got)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(secret); got.Length != len(secret) || got.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("of %d bytes %d arrived, hash %s", len(secret), got.Length, got.Hash)
	}
	if _, _, exit, err := through.start(t.Context(), []byte("#END x\n")); err != nil || exit != powershell.ExitBadStdin {
		t.Errorf("damaged input: exit code %d, error %v; want %d", exit, err, powershell.ExitBadStdin)
	}
}
