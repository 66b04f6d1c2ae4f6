<#
.SYNOPSIS
Archives a certificate of the Personal store, or unarchives it.
.DESCRIPTION
Only programs that ask for archived certificates find an archived one. Its key
stays, so that it can be unarchived. Archiving is refused while anything on the
server names the certificate. A certificate that is not there needs no change.
Source: Microsoft, X509Certificate2.Archived.
.PARAMETER Thumbprint
The certificate.
.PARAMETER Archived
Whether the certificate is to be archived.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [Parameter(Mandatory = $true)] [bool] $Archived
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
$certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
if ($Archived -and $null -ne $certificate -and -not $certificate.Archived) { Assert-CertificateUnused -Thumbprint $Thumbprint }

[pscustomobject] @{ changed = Update-StoreArchived -Thumbprint $Thumbprint -Archived $Archived }
