<#
.SYNOPSIS
Imports a certificate with its key into the Personal store of the machine.
.DESCRIPTION
The PFX and its password come as secrets, never as parameters, and nothing but the
key is written to disk, by its provider. Certificates that are already there stay
as they are; one that has another friendly name is never renamed. The key of an
earlier import that was cut off is deleted first.
Microsoft's procedure imports a self-signed certificate with its key into Trusted
Root. This script imports the key into Personal, where the procedure looks for it
in its next step, and adds only the public part, without a friendly name, to
Trusted Root.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016", "Import your certificate".
.PARAMETER Thumbprint
The certificate that the PFX must contain.
.PARAMETER FriendlyName
The name by which Office Online Server will select the certificate.
.PARAMETER Provider
The cryptographic provider that must have the key afterwards.
.PARAMETER Exportable
Whether the key may be exported again.
.PARAMETER SelfSigned
Whether the public part is also added to Trusted Root.
.PARAMETER Archived
Whether the certificate is imported archived, so that nothing finds it yet. One
that is already there with its key stays as it is.
.PARAMETER Intermediates
Certificates of the issuing CAs, DER in base64, for the CA store.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint,
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $FriendlyName,
    [Parameter(Mandatory = $true)] [ValidateNotNullOrEmpty()] [string] $Provider,
    [bool] $Exportable = $false,
    [bool] $SelfSigned = $false,
    [bool] $Archived = $false,
    [string[]] $Intermediates = @()
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Assert-Elevated
$added = New-Object System.Collections.Generic.List[string]
$named = $false
$container = ''
$keptKey = ''

$present = Find-PersonalCertificate -Thumbprint $Thumbprint
if ($null -ne $present -and $present.FriendlyName -ne '' -and $present.FriendlyName -cne $FriendlyName) {
    Stop-Script -Id 'NameDiffers' -Message "certificate $Thumbprint is already there as '$($present.FriendlyName)', not '$FriendlyName'"
}
if ($null -eq $present -or $present.FriendlyName -eq '') {
    Assert-FriendlyNameFree -FriendlyName $FriendlyName -Thumbprint $Thumbprint
}

if ($null -eq $present -or -not $present.HasPrivateKey) {
    # One that cannot be deleted does not stop the import: Windows names the new key's
    # container otherwise, and the removal of the certificate finds both.
    try { Remove-OrphanedKey -Thumbprint $Thumbprint | Out-Null }
    catch { $keptKey = $_.Exception.Message }
    $imported = Read-KeyCertificate -Exportable $Exportable -Thumbprint $Thumbprint
    try {
        # Adding would otherwise keep the copy that has no key.
        if ($null -ne $present) { Remove-StoreCertificate -Store My -Thumbprint $Thumbprint }
        # Set before it is added, and again if the store did not keep that: a
        # service that starts in between must not find it.
        if ($Archived) { $imported.Archived = $true }
        Add-StoreCertificate -Store My -Certificate $imported
        if ($Archived) { Update-StoreArchived -Thumbprint $Thumbprint -Archived $true | Out-Null }
        $stored = Get-OwnCertificate -Thumbprint $Thumbprint
        if (-not $stored.HasPrivateKey) {
            Stop-Script -Id 'KeyMissing' -Message "the store kept certificate $Thumbprint without its key"
        }
        $location = Get-KeyLocation -Certificate $stored
        if ($location.Provider -ne $Provider) {
            Stop-Script -Id 'ProviderNotApplied' -Message "the key went to '$($location.Provider)' instead of '$Provider'"
        }
        $container = $location.Container
    }
    catch {
        Remove-StoreCertificate -Store My -Thumbprint $Thumbprint
        Remove-Key -Certificate $imported
        throw
    }
    $added.Add('My')
}
if ((Get-OwnCertificate -Thumbprint $Thumbprint).FriendlyName -cne $FriendlyName) {
    Set-StoreFriendlyName -Thumbprint $Thumbprint -FriendlyName $FriendlyName
    $named = $true
}

$known = @(foreach ($certificate in Get-StoreCertificate -Store CA) { $certificate.Thumbprint })
foreach ($encoded in $Intermediates) {
    $intermediate = New-PublicCertificate -Der ([Convert]::FromBase64String($encoded))
    if ($intermediate.Thumbprint -in $known) { continue }
    Add-StoreCertificate -Store CA -Certificate $intermediate
    if (-not $added.Contains('CA')) { $added.Add('CA') }
}

$trusted = @(foreach ($certificate in Get-StoreCertificate -Store Root) { $certificate.Thumbprint })
if ($SelfSigned -and $Thumbprint -notin $trusted) {
    $own = Get-OwnCertificate -Thumbprint $Thumbprint
    Add-StoreCertificate -Store Root -Certificate (New-PublicCertificate -Der $own.RawData)
    $added.Add('Root')
}

[pscustomobject] @{
    changed = $named -or $added.Count -gt 0
    added = $added
    certificate = ConvertTo-CertificateRecord -Certificate (Get-OwnCertificate -Thumbprint $Thumbprint) -Sign
    container = $container
    keptKey = $keptKey
}
