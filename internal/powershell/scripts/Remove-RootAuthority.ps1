<#
.SYNOPSIS
Removes SharePoint's trusted root authorities that hold one of the certificates.
.DESCRIPTION
They are found by certificate, whatever their names. The farm's own authority,
local, is never removed.
Source: Microsoft, Remove-SPTrustedRootAuthority; KB2545744 on the authority
local.
.PARAMETER Thumbprints
The certificates.
#>
[CmdletBinding()]
param([ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Thumbprints = @())

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$names = @(foreach ($authority in Get-SPTrustedRootAuthority) {
    if ($authority.Name -eq 'local' -or $null -eq $authority.Certificate) { continue }
    if ($authority.Certificate.Thumbprint -in $Thumbprints) { [string] $authority.Name }
})

foreach ($name in $names) { Remove-SPTrustedRootAuthority -Identity $name -Confirm:$false | Out-Null }

foreach ($authority in Get-SPTrustedRootAuthority) {
    if ($authority.Name -in $names) {
        Stop-Script -Id 'SettingNotKept' -Message "root authority '$($authority.Name)' is still there after it was removed"
    }
}

[pscustomobject] @{ changed = $names.Count -gt 0; removed = $names }
