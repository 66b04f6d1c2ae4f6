<#
.SYNOPSIS
Installs farmtrust's SharePoint task on this front end.
.DESCRIPTION
Run it in an elevated Windows PowerShell, with farmtrust-sharepoint.ps1 beside
it. It lays out C:\Program Files\farmtrust with access lists that inherit
nothing, copies the signed script there, trusts its publisher on this machine,
and registers the scheduled task farmtrust-sharepoint, which has no trigger.
Doing it again installs another version. Before that, sign the script with a
certificate for code signing that this machine trusts:
  Set-AuthenticodeSignature -FilePath farmtrust-sharepoint.ps1 -Certificate $certificate -HashAlgorithm SHA256 -TimestampServer $url
Source: Microsoft, about_Signing and about_Execution_Policies;
New-ScheduledTaskPrincipal; New-ScheduledTaskSettingsSet.
.PARAMETER Account
The group managed service account that the task runs as, such as
CONTOSO\farmtrust-sp$. It needs to be installed on this machine, to be a
SharePoint shell administrator, and the right to log on as a batch job.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Account)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# What a script file is known by.

# The SHA-256 of a script's text, whatever its line ends and encoding, without
# the signature that was put at its end: so the same for all who sign it.
# Source: Microsoft, about_Signing, on the block that a signature adds.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $text = [System.IO.File]::ReadAllText($Path).Replace("`r", '')
    $end = $text.IndexOf("`n# SIG # Begin signature block", [System.StringComparison]::Ordinal)
    if ($end -ge 0) { $text = $text.Substring(0, $end) }
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text.TrimEnd())
    # Not SHA256.Create(): under the FIPS policy .NET Framework refuses it.
    $hash = (New-Object System.Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($bytes)
    return [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}

# What only Windows can do: accounts, access lists, signatures, stores.

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

# Makes a folder whose access list is this and inherits nothing: objects with
# Sid and Rights.
function Set-ClosedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [object[]] $Access
    )

    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetAccessRuleProtection($true, $false)
    foreach ($entry in $Access) {
        $sid = New-Object System.Security.Principal.SecurityIdentifier $entry.Sid
        $security.AddAccessRule((New-Object System.Security.AccessControl.FileSystemAccessRule `
            $sid, $entry.Rights, 'ContainerInherit, ObjectInherit', 'None', 'Allow'))
    }
    $folder = New-Object System.IO.DirectoryInfo $Path
    if ($folder.Exists) { $folder.SetAccessControl($security) }
    else { $folder.Create($security) }
}

# The certificate that a script is signed with; null unless the signature is valid.
function Get-ValidSigner {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $signature = Get-AuthenticodeSignature -LiteralPath $Path
    if ([string] $signature.Status -ne 'Valid') { return $null }
    return $signature.SignerCertificate
}

# A publisher that is not in this store would be asked about, and a task has
# nobody to ask.
function Add-TrustedPublisher {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $opened = New-Object System.Security.Cryptography.X509Certificates.X509Store 'TrustedPublisher', 'LocalMachine'
    $opened.Open([System.Security.Cryptography.X509Certificates.OpenFlags]::ReadWrite)
    try { $opened.Add($Certificate) }
    finally { $opened.Close() }
}

if (-not (Test-Administrator)) { throw 'Start Windows PowerShell as administrator.' }
$source = [System.IO.Path]::Combine($PSScriptRoot, 'farmtrust-sharepoint.ps1')
if ($null -eq (Get-ValidSigner -Path $source)) {
    throw "$source has no valid signature: sign it as the help of this script says, with a certificate that this machine trusts."
}
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
# What counts is the file that is there now.
$signer = Get-ValidSigner -Path $installed
if ($null -eq $signer) { throw "$installed has no valid signature." }
Add-TrustedPublisher -Certificate $signer

$program = "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe"
$argument = "-NoLogo -NoProfile -NonInteractive -ExecutionPolicy AllSigned -File `"$installed`""
$action = New-ScheduledTaskAction -Execute $program -Argument $argument
# For a managed service account Password means that Windows knows it.
$principal = New-ScheduledTaskPrincipal -UserId $Account -LogonType Password
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -MultipleInstances Queue -ExecutionTimeLimit ([timespan]::FromMinutes(30))
# It is a function of a module, which sees the session's preferences and not
# those of this script.
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
