<#
.SYNOPSIS
Selects the certificate that the farm signs its tokens with.
.DESCRIPTION
It runs on the master. Office Online Server selects the certificate by its friendly
name alone, so the script first checks that exactly one certificate has the name.
The certificate is unarchived just before the name is set, and the others that are
given are archived just after, so that at no other time two certificates of one
subject are found: in a published case the service did not start with both.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "Configure Office Online Server to
use the certificate for server-to-server authentication"; sharepointpain.com,
2025, on two certificates with the same subject.
.PARAMETER FriendlyName
The certificate's friendly name.
.PARAMETER Thumbprint
The certificate that must have the name.
.PARAMETER Archive
The thumbprints of the certificates to archive.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $FriendlyName,
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [ValidatePattern('^[0-9A-F]{40}$')] [string[]] $Archive = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
Import-OfficeModule
Assert-Master
$certificate = Get-OwnCertificate -Thumbprint $Thumbprint
if ($certificate.FriendlyName -cne $FriendlyName) {
    Stop-Script -Id 'WrongCertificate' -Message "certificate $Thumbprint has the friendly name '$($certificate.FriendlyName)', not '$FriendlyName'"
}
Assert-FriendlyNameFree -FriendlyName $FriendlyName -Thumbprint $Thumbprint
foreach ($other in $Archive) { Assert-CertificateUnused -Thumbprint $other -Except 'S2SCertificateName' }

$previous = [string] (Get-OfficeWebAppsFarm).S2SCertificateName
$changed = $false
$marked = New-Object System.Collections.Generic.List[string]
if (Update-StoreArchived -Thumbprint $Thumbprint -Archived $false) { $marked.Add($Thumbprint) }
if ($previous -cne $FriendlyName) {
    try {
        Set-OfficeWebAppsFarm -S2SCertificateName $FriendlyName -Confirm:$false -Force | Out-Null
        $now = [string] (Get-OfficeWebAppsFarm).S2SCertificateName
        if ($now -cne $FriendlyName) {
            Stop-Script -Id 'SettingNotKept' -Message "the farm's S2S certificate name is '$now' after it was set to '$FriendlyName'"
        }
    }
    catch {
        if ([string] (Get-OfficeWebAppsFarm).S2SCertificateName -cne $FriendlyName) {
            foreach ($shown in $marked) { Update-StoreArchived -Thumbprint $shown -Archived $true | Out-Null }
        }
        throw
    }
    $changed = $true
}
foreach ($other in $Archive) {
    if (Update-StoreArchived -Thumbprint $other -Archived $true) { $marked.Add($other) }
}

[pscustomobject] @{ changed = $changed; previous = $previous; marked = $marked }
