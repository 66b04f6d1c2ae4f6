<#
.SYNOPSIS
Installs farmtrust's SharePoint task on this front end.
.DESCRIPTION
Run it in an elevated Windows PowerShell, with farmtrust-sharepoint.ps1 in the
same folder. It creates C:\Program Files\farmtrust with access lists that inherit
nothing, copies the signed script there, trusts its publisher on this machine,
and registers the scheduled task farmtrust-sharepoint, which has no trigger. Run
it again to install another version. First sign the script with a code-signing
certificate that this machine trusts:
  Set-AuthenticodeSignature -FilePath farmtrust-sharepoint.ps1 -Certificate $certificate -HashAlgorithm SHA256 -TimestampServer $url
Source: Microsoft, about_Signing and about_Execution_Policies;
New-ScheduledTaskPrincipal; New-ScheduledTaskSettingsSet.
.PARAMETER Account
The group managed service account that the task runs as, such as
CONTOSO\farmtrust-sp$. It must be installed on this machine, be a SharePoint
shell administrator, and hold the right to log on as a batch job.
.PARAMETER Publisher
The thumbprint of the certificate that you signed the script with. A script that
anyone else has signed is not installed, and nobody else becomes a trusted publisher.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Account,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-Fa-f]{40}$')] [string] $Publisher
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# The hash that identifies a version of a script file.

# Returns the SHA-256 of a script's text. Line ends, encoding and the signature at
# its end do not count, so that the hash is the same no matter who signed the script. A
# signature is a block of comments at the very end, of nothing but base64: whatever else
# follows its first line may be code. A carriage return alone ends a line for PowerShell,
# so it counts.
# Source: Microsoft, about_Signing, on the block that a signature adds.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $text = [System.IO.File]::ReadAllText($Path).Replace("`r`n", "`n").TrimEnd()
    $signature = '\n# SIG # Begin signature block\n(?:# [A-Za-z0-9+/]+={0,2}\n)+# SIG # End signature block\z'
    $text = $text -creplace $signature, ''
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text.TrimEnd())
    # Not SHA256.Create(), which .NET Framework rejects under the FIPS policy.
    $hash = (New-Object System.Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($bytes)
    return [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}

# Functions that need Windows: accounts, access lists, signatures, stores.

function Test-Administrator {
    [CmdletBinding()]
    param()

    $principal = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    return $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Get-AccountSid {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Account)

    $name = New-Object System.Security.Principal.NTAccount $Account
    return $name.Translate([System.Security.Principal.SecurityIdentifier]).Value
}

# Creates a folder with exactly this access list, which inherits nothing, or gives
# an existing folder this list. It belongs to the administrators: an owner may change the
# list at any time. One that leads elsewhere is refused. Access are objects with Sid and
# Rights.
function Set-ClosedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [object[]] $Access
    )

    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetOwner((New-Object System.Security.Principal.SecurityIdentifier 'S-1-5-32-544'))
    $security.SetAccessRuleProtection($true, $false)
    foreach ($entry in $Access) {
        $sid = New-Object System.Security.Principal.SecurityIdentifier $entry.Sid
        $security.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule `
            $sid, $entry.Rights, 'ContainerInherit, ObjectInherit', 'None', 'Allow'))
    }
    $folder = New-Object System.IO.DirectoryInfo $Path
    if ($folder.Exists -and ($folder.Attributes -band [System.IO.FileAttributes]::ReparsePoint)) { throw "$Path is a link. Remove it." }
    if ($folder.Exists) { $folder.SetAccessControl($security) }
    else { $folder.Create($security) }
}

# Returns the certificate that a script is signed with, or null when the signature
# is not valid.
function Get-ValidSigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $signature = Get-AuthenticodeSignature -LiteralPath $Path
    if ([string] $signature.Status -ne 'Valid') { return $null }
    return $signature.SignerCertificate
}

# Without the publisher in this store PowerShell would ask for confirmation, which
# a scheduled task cannot give.
function Add-TrustedPublisher {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'TrustedPublisher', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::ReadWrite)
    try { $opened.Add($Certificate) }
    finally { $opened.Close() }
}

# Returns the certificate that a script is signed with, which must be the publisher's.
function Get-Publisher {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )

    $signer = Get-ValidSigner -Path $Path
    if ($null -eq $signer) {
        throw "$Path has no valid signature. Sign it with a certificate that this machine trusts; see the help of this script."
    }
    if ($signer.Thumbprint -ne $Thumbprint) {
        throw "$Path is signed by $($signer.Thumbprint) ($($signer.Subject)), and not by the publisher $Thumbprint. Do not use it before you know why."
    }
    return $signer
}

if (-not (Test-Administrator)) { throw 'Start Windows PowerShell as administrator.' }
$source = [System.IO.Path]::Combine($PSScriptRoot, 'farmtrust-sharepoint.ps1')
[void] (Get-Publisher -Path $source -Thumbprint $Publisher)
$sid = Get-AccountSid -Account $Account
$system = @{ Sid = 'S-1-5-18'; Rights = 'FullControl' }
$administrators = 'S-1-5-32-544'

$root = [System.IO.Path]::Combine($env:ProgramFiles, 'farmtrust')
Set-ClosedFolder -Path $root -Access $system, @{ Sid = $administrators; Rights = 'FullControl' }, @{ Sid = $sid; Rights = 'ReadAndExecute' }
Set-ClosedFolder -Path ([System.IO.Path]::Combine($root, 'requests')) -Access $system,
    @{ Sid = $administrators; Rights = 'Modify' }, @{ Sid = $sid; Rights = 'ReadAndExecute' }
Set-ClosedFolder -Path ([System.IO.Path]::Combine($root, 'results')) -Access $system,
    @{ Sid = $administrators; Rights = 'ReadAndExecute' }, @{ Sid = $sid; Rights = 'Modify' }

$installed = [System.IO.Path]::Combine($root, 'farmtrust-sharepoint.ps1')
[System.IO.File]::Copy($source, $installed, $true)
# The copy is checked, because the source may have changed meanwhile.
$signer = Get-Publisher -Path $installed -Thumbprint $Publisher
Add-TrustedPublisher -Certificate $signer

$program = "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe"
$argument = "-NoLogo -NoProfile -NonInteractive -ExecutionPolicy AllSigned -File `"$installed`""
$action = New-ScheduledTaskAction -Execute $program -Argument $argument
# For a managed service account, Password means that Windows manages the password.
$principal = New-ScheduledTaskPrincipal -UserId $Account -LogonType Password
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -MultipleInstances Queue -ExecutionTimeLimit ([timespan]::FromMinutes(30))
# -ErrorAction, because the cmdlet is a function of a module and does not see the
# preference of this script.
# Source: PowerShell/PowerShell, issue 4568.
Register-ScheduledTask -TaskName 'farmtrust-sharepoint' -TaskPath '\' -Action $action -Principal $principal -Settings $settings `
    -Force -ErrorAction Stop | Out-Null

[pscustomobject] @{
    Task = 'farmtrust-sharepoint'
    Account = $Account
    Script = $installed
    Version = (Get-ScriptHash -Path $installed).Substring(0, 12)
    Signer = [string] $signer.Subject
}
