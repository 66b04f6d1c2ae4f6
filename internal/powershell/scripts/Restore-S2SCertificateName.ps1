<#
.SYNOPSIS
Restores the farm's S2S certificate name, which selects the certificate that signs
its tokens.
.DESCRIPTION
It runs on the master, and changes the name only while the farm has the one that
the rotation set. Whether the product accepts an empty name is not documented. If
it does not, the name stays, and the script returns the product's message.
Source: Microsoft, Set-OfficeWebAppsFarm, -S2SCertificateName.
.PARAMETER Ours
The friendly name that the rotation set.
.PARAMETER Previous
The friendly name before the rotation, empty for none.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Ours,
    [string] $Previous = ''
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

if ($due) {
    try { Set-OfficeWebAppsFarm -S2SCertificateName $Previous -Confirm:$false -Force | Out-Null }
    catch {
        if ($Previous -ne '') { throw }
        $reason = [string] $_.Exception.Message
    }
    $now = [string] (Get-OfficeWebAppsFarm).S2SCertificateName
    $clearRefused = $Previous -eq '' -and $now -ceq $Ours
    if ($now -cne $Previous -and -not $clearRefused) {
        Stop-Script -Id 'SettingNotKept' -Message "the farm's S2S certificate name is '$now' after it was set to '$Previous'"
    }
}

[pscustomobject] @{ changed = $due -and -not $clearRefused; clearRefused = $clearRefused; reason = $reason }
