<#
.SYNOPSIS
Marks a certificate of the Personal store archived, or takes the mark off.
.DESCRIPTION
Nothing finds an archived certificate unless it asks for archived ones; its key
stays, so that the mark can be taken off again. Refused while anything on the
server names the certificate. One that is not there needs no mark.
Source: Microsoft, X509Certificate2.Archived.
.PARAMETER Thumbprint
The certificate.
.PARAMETER Show
Take the mark off.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [bool] $Show = $false
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
$certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
$changed = $false
if ($null -ne $certificate -and $certificate.Archived -eq $Show) {
    if (-not $Show) { Assert-CertificateUnused -Thumbprint $Thumbprint }
    Set-StoreArchived -Thumbprint $Thumbprint -Archived (-not $Show)
    if ((Find-PersonalCertificate -Thumbprint $Thumbprint).Archived -eq $Show) {
        Stop-Script -Id 'SettingNotKept' -Message "the archived mark of certificate $Thumbprint is as before after it was set"
    }
    $changed = $true
}

[pscustomobject] @{ changed = $changed }
