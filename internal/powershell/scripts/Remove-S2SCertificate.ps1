<#
.SYNOPSIS
Removes a certificate from the stores of an office server, with its key.
.DESCRIPTION
The removal is refused while anything on the server names the certificate. A
certificate that is not there needs no removal. A key that another certificate
shares is kept; one that an import left which was cut off is deleted.
Source: Microsoft, X509Store.Remove, which leaves the key;
RSACryptoServiceProvider.PersistKeyInCsp and CngKey.Delete, which delete it.
.PARAMETER Thumbprint
The certificate.
.PARAMETER Personal
Whether to remove it from the Personal store, archived or not, and the key of an
import that was cut off.
.PARAMETER Root
Whether to remove its public copy from Trusted Root.
.PARAMETER Intermediates
The thumbprints of the issuing CAs to remove from the CA store.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [bool] $Personal = $false,
    [bool] $Root = $false,
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Intermediates = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
$own = $null
if ($Personal) { $own = Find-PersonalCertificate -Thumbprint $Thumbprint }
$trusted = $Root -and $Thumbprint -in @(foreach ($certificate in Get-StoreCertificate -Store Root) { $certificate.Thumbprint })
$issuing = @(foreach ($certificate in Get-StoreCertificate -Store CA) {
    if ($certificate.Thumbprint -in $Intermediates) { $certificate.Thumbprint }
})
$removed = New-Object System.Collections.Generic.List[string]

if ($null -ne $own -or $trusted -or $issuing.Count -gt 0) { Assert-CertificateUnused -Thumbprint $Thumbprint }
if ($trusted) {
    Remove-StoreCertificate -Store Root -Thumbprint $Thumbprint
    Assert-StoreWithout -Store Root -Thumbprint $Thumbprint
    $removed.Add('Root')
}
if ($issuing.Count -gt 0) {
    foreach ($authority in $issuing) { Remove-StoreCertificate -Store CA -Thumbprint $authority }
    Assert-StoreWithout -Store CA -Thumbprint $issuing
    $removed.Add('CA')
}
if ($null -ne $own) {
    Remove-PersonalCertificate -Certificate $own
    Assert-StoreWithout -Store My -Thumbprint $Thumbprint
    $removed.Add('My')
}

$orphaned = $Personal -and (Remove-OrphanedKey -Thumbprint $Thumbprint)

[pscustomobject] @{ changed = $removed.Count -gt 0 -or $orphaned; removed = $removed; orphanedKey = $orphaned }
