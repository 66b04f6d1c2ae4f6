package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
)

// winrmSetup returns the lines of a page that set up WinRM, as they are pasted.
func winrmSetup(t *testing.T, page string) string {
	t.Helper()
	for _, block := range strings.Split(read(t, page), "```powershell\n")[1:] {
		lines, _, _ := strings.Cut(block, "```")
		if strings.Contains(lines, "-CertificateThumbPrint") {
			indent := lines[:strings.Index(lines, "&")]
			return strings.ReplaceAll("\n"+strings.TrimRight(lines, " "), "\n"+indent, "\n")
		}
	}
	t.Fatalf("%s does not set up WinRM", page)
	return ""
}

// windows stands for a server: what the lines read are the variables that a test
// sets in front, and what they change is printed.
const windows = `
function Get-Module { param([string] $Name, [switch] $ListAvailable) if ($officeFarm) { $Name } }
function Get-OfficeWebAppsFarm { if ($officeFarm -is [string]) { throw $officeFarm }; [pscustomobject] $officeFarm }
function Get-ChildItem {
    param([string] $Path)
    if ($Path -eq 'WSMan:\localhost\Listener') { return [pscustomobject] @{ Keys = $listener } }
    if ($Path -ne 'Cert:\LocalMachine\My') { throw "not simulated: $Path" }
    foreach ($c in $certificates) {
        [pscustomobject] @{
            Thumbprint = $c.Thumbprint; FriendlyName = $c.FriendlyName; HasPrivateKey = -not $c.NoKey
            NotBefore = (Get-Date).AddDays(-1 + $c.From); NotAfter = (Get-Date).AddDays(1 + $c.Days)
            EnhancedKeyUsageList = @(foreach ($u in $c.Usages) { [pscustomobject] @{ FriendlyName = ''; ObjectId = $u } })
            DnsNameList = @(foreach ($n in $c.Names) { [pscustomobject] @{ Unicode = $n; Punycode = $n } })
        }
    }
}
function Set-Service { param([string] $Name, [string] $StartupType) "service $Name $StartupType" }
function Start-Service { param([string] $Name) "start $Name" }
function Remove-NetFirewallRule { [CmdletBinding()] param([string] $Name) Write-Error -Message 'no such rule' }
function New-NetFirewallRule {
    param([string] $Name, [string] $DisplayName, [string] $Direction, [string] $Protocol, [int] $LocalPort, [string] $RemoteAddress, [string] $Action)
    "firewall $Name $Direction $Protocol $LocalPort $RemoteAddress $Action"
}
function New-Item { param([string] $Path, [string] $Transport, [string] $Address, [string] $CertificateThumbPrint, [switch] $Force) "listener $Path $Transport $Address $CertificateThumbPrint" }
$here = [System.Net.Dns]::GetHostEntry('').HostName
$server, $client = '1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'
$listener = @('Transport=HTTP', 'Address=*')
$officeFarm = $null
`

func TestWinRMSetup(t *testing.T) {
	engine, err := pwsh.Find()
	if err != nil {
		t.Skip(err)
	}
	setup := winrmSetup(t, "servers.md")
	opened := func(thumbprint string) string {
		return "service WinRM Automatic\nstart WinRM\nfirewall farmtrust-winrm Inbound TCP 5986 192.0.2.7 Allow\n" +
			"listener WSMan:\\localhost\\Listener HTTPS * " + thumbprint
	}
	const none = "No valid certificate for server authentication"
	for _, c := range []struct{ name, server, want string }{
		{"the one that expires last", `$certificates = @{ Thumbprint = 'A'; Days = 1; Usages = $server, $client; Names = 'x', $here }, @{ Thumbprint = 'B'; Days = 9; Usages = $server; Names = $here }`, opened("B")},
		{"none without its key", `$certificates = @{ Thumbprint = 'A'; Usages = $server; Names = $here; NoKey = $true }`, none},
		{"none that has expired", `$certificates = @{ Thumbprint = 'A'; Usages = $server; Names = $here; Days = -2 }`, none},
		{"none that is not yet valid", `$certificates = @{ Thumbprint = 'A'; Usages = $server; Names = $here; From = 2; Days = 9 }`, none},
		{"none for clients", `$certificates = @{ Thumbprint = 'A'; Usages = $client; Names = $here }`, none},
		{"none for any purpose", `$certificates = @{ Thumbprint = 'A'; Usages = @(); Names = $here }`, none},
		{"none of another name", `$certificates = @{ Thumbprint = 'A'; Usages = $server; Names = '*.contoso.com', 'other' }`, none},
		{
			"none that the office farm uses",
			`$officeFarm = @{ CertificateName = 'web'; S2SCertificateName = 's2s' }
$certificates = @{ Thumbprint = 'A'; Usages = $server; Names = $here; FriendlyName = 's2s'; Days = 9 }, @{ Thumbprint = 'B'; Usages = $server; Names = $here; FriendlyName = 'WEB'; Days = 8 }, @{ Thumbprint = 'C'; Usages = $server; Names = $here }`,
			opened("C"),
		},
		{
			"one without a friendly name, where the farm has no S2S certificate",
			`$officeFarm = @{ CertificateName = 'web'; S2SCertificateName = '' }
$certificates = @{ Thumbprint = 'A'; Usages = $server; Names = $here; FriendlyName = '' }`,
			opened("A"),
		},
		{"nothing while the farm cannot be read", `$officeFarm = 'WACSM is stopped'; $certificates = @{ Thumbprint = 'A'; Usages = $server; Names = $here }`, "WACSM is stopped"},
		{"no second listener", `$listener = @('Transport=HTTPS', 'Address=*'); $certificates = @{ Thumbprint = 'A'; Usages = $server; Names = $here }`, "There is an HTTPS listener already"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			script := filepath.Join(t.TempDir(), "setup.ps1")
			text := windows + c.server + strings.Replace(setup, "<address of the worker>", "192.0.2.7", 1)
			if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), engine, "-NoProfile", "-NonInteractive", "-File", script).CombinedOutput()
			got := strings.TrimSpace(strings.ReplaceAll(string(out), "\r", ""))
			switch {
			case strings.HasPrefix(c.want, "service"):
				if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
					t.Errorf("%v, want -, got +:\n%s", err, diff)
				}
			case err == nil || !strings.Contains(got, c.want) || strings.Contains(got, "firewall ") || strings.Contains(got, "listener W"):
				t.Errorf("want the error %q and nothing opened, got %v:\n%s", c.want, err, got)
			}
		})
	}
}
