<#
.SYNOPSIS
Restores the farm's S2S certificate name, which selects the certificate that signs
its tokens.
.DESCRIPTION
It runs on the master, and changes the name only while the farm has the one that
the rotation set. Whether the product accepts an empty name is not documented. If
it does not, the name stays, and the script returns the product's message.
What was visible before is unarchived just before the name is set, and what was not
is archived just after; where the name stays, so does that.
Source: Microsoft, Set-OfficeWebAppsFarm, -S2SCertificateName.
.PARAMETER Ours
The friendly name that the rotation set.
.PARAMETER Previous
The friendly name before the rotation, empty for none.
.PARAMETER Unarchive
The thumbprints of the certificates that were not archived.
.PARAMETER Archive
The thumbprints of the certificates to archive.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Ours,
    [string] $Previous = '',
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Unarchive = @(),
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Archive = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
Assert-Master
$now = [string] (Get-OfficeWebAppsFarm).S2SCertificateName
$clearRefused = $false
$reason = ''
$due = $now -cne $Previous
if ($due -and $now -cne $Ours) {
    Stop-Script -Id 'ChangedSince' -Message "the farm's S2S certificate name is '$now', neither '$Ours' nor '$Previous'"
}

foreach ($other in $Archive) { Assert-CertificateUnused -Thumbprint $other -Except 'S2SCertificateName' }

$marked = New-Object System.Collections.Generic.List[string]
foreach ($shown in $Unarchive) {
    if (Update-StoreArchived -Thumbprint $shown -Archived $false) { $marked.Add($shown) }
}
if ($due) {
    try { Set-OfficeWebAppsFarm -S2SCertificateName $Previous -Confirm:$false -Force | Out-Null }
    catch {
        $reason = [string] $_.Exception.Message
        if ($Previous -ne '') {
            foreach ($shown in $marked) { Update-StoreArchived -Thumbprint $shown -Archived $true | Out-Null }
            throw
        }
    }
    $now = [string] (Get-OfficeWebAppsFarm).S2SCertificateName
    $clearRefused = $Previous -eq '' -and $now -ceq $Ours
    if ($clearRefused) {
        foreach ($shown in $marked) { Update-StoreArchived -Thumbprint $shown -Archived $true | Out-Null }
        $marked.Clear()
    }
    elseif ($now -cne $Previous) {
        Stop-Script -Id 'SettingNotKept' -Message "the farm's S2S certificate name is '$now' after it was set to '$Previous'"
    }
}
if (-not $clearRefused) {
    foreach ($other in $Archive) {
        if (Update-StoreArchived -Thumbprint $other -Archived $true) { $marked.Add($other) }
    }
}

[pscustomobject] @{ changed = $due -and -not $clearRefused; clearRefused = $clearRefused; reason = $reason; marked = $marked }
