<#
.SYNOPSIS
Grants an account read access to a certificate's private key, and proves that the
key signs in the way that Office Online Server does.
.DESCRIPTION
The account is given by its security identifier, because the name of NETWORK
SERVICE is localized. It gets read access alone, although the console in
Microsoft's procedure also offers full control.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "Grant network service permission
to use the key".
.PARAMETER Thumbprint
The certificate in the Personal store.
.PARAMETER Sid
The account's security identifier, S-1-5-20 for NETWORK SERVICE.
.PARAMETER ProveAs
Who signs: the account itself, in a task that runs once, or the administrator who
runs this script, when a policy forbids tasks.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [Parameter(Mandatory = $true)] [ValidatePattern('^S-1-[0-9-]+$')] [string] $Sid,
    [Parameter(Mandatory = $true)] [ValidateSet('networkService', 'administrator')] [string] $ProveAs
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
$certificate = Get-OwnCertificate -Thumbprint $Thumbprint
if (-not $certificate.HasPrivateKey) {
    Stop-Script -Id 'KeyMissing' -Message "certificate $Thumbprint is in the Personal store without its key"
}
$location = Get-KeyLocation -Certificate $certificate
if ($location.File -eq '') {
    Stop-Script -Id 'KeyFileNotFound' -Message "the key of certificate $Thumbprint is in none of the folders of machine keys"
}

$changed = $false
if ($Sid -notin @(Get-KeyReader -File $location.File)) {
    Add-KeyReader -File $location.File -Sid $Sid
    if ($Sid -notin @(Get-KeyReader -File $location.File)) {
        Stop-Script -Id 'KeyDenied' -Message "an entry on $($location.File) denies $Sid"
    }
    $changed = $true
}

if ($ProveAs -eq 'networkService') {
    Assert-KeySignsAs -Thumbprint $Thumbprint -Sid $Sid
    $signedAs = $Sid
}
else {
    $paths = @(Get-SigningPath -Certificate $certificate)
    if ('legacy' -notin $paths -and 'modern' -in $paths) {
        Stop-Script -Id 'KeyModernOnly' -Message "the key of certificate $Thumbprint signs by CNG alone"
    }
    if ('legacy' -notin $paths) {
        Stop-Script -Id 'KeyDoesNotSign' -Message "this account cannot sign with the key of certificate $Thumbprint"
    }
    $signedAs = Get-AccountName
}

[pscustomobject] @{
    changed = $changed
    provider = $location.Provider
    keyFile = $location.File
    signedAs = $signedAs
    # Any other path has ended the script.
    signedBy = 'legacy'
}
