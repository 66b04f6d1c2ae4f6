<#
.SYNOPSIS
Puts the name of the certificate that the farm signs its tokens with back.
.DESCRIPTION
Runs on the master. Acts only while the farm has the name that the rotation
set. Whether the product accepts an empty name is not documented: if it does
not, the name stays, and what the product said is returned.
Source: Microsoft, Set-OfficeWebAppsFarm, -S2SCertificateName.
.PARAMETER Ours
The friendly name that the rotation set.
.PARAMETER Previous
The friendly name of before; empty for none.
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
$kept = $false
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
    $kept = $Previous -eq '' -and $now -ceq $Ours
    if ($now -cne $Previous -and -not $kept) {
        Stop-Script -Id 'SettingNotKept' -Message "the farm's S2S certificate name is '$now' after it was set to '$Previous'"
    }
}

[pscustomobject] @{ changed = $due -and -not $kept; kept = $kept; reason = $reason }
