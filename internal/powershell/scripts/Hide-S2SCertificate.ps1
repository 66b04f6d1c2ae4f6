<#
.SYNOPSIS
Marks a certificate of the Personal store archived.
.DESCRIPTION
Nothing finds an archived certificate unless it asks for archived ones; its key
stays, so that the mark can be taken off again. Refused while anything on the
server names the certificate. One that is not there needs no mark.
Source: Microsoft, X509Certificate2.Archived.
.PARAMETER Thumbprint
The certificate.
#>
[CmdletBinding()]
param([Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
$certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
$changed = $false
if ($null -ne $certificate -and -not $certificate.Archived) {
    Assert-CertificateUnused -Thumbprint $Thumbprint
    Set-StoreArchived -Thumbprint $Thumbprint
    if (-not (Find-PersonalCertificate -Thumbprint $Thumbprint).Archived) {
        Stop-Script -Id 'SettingNotKept' -Message "certificate $Thumbprint is not archived after it was marked so"
    }
    $changed = $true
}

[pscustomobject] @{ changed = $changed }
