<#
.SYNOPSIS
Adds certificates to SharePoint's trusted root authorities.
.DESCRIPTION
A certificate that an authority already holds, under whatever name, is not added
again. Existing authorities are never changed.
Microsoft's procedure adds a self-signed certificate. For one that a CA issued,
every certificate of its chain must be trusted as well.
Source: Microsoft, "Configure server-to-server authentication between Office
Online Server and SharePoint Server 2016"; "Creating SharePoint Add-ins that
use high-trust authorization".
.PARAMETER Authorities
Objects with Name, which a new authority gets, and Certificate, DER in base64.
#>
[CmdletBinding()]
param([object[]] $Authorities = @())

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-SharePoint
$null = Get-Farm
$added = New-Object System.Collections.Generic.List[string]

foreach ($wanted in $Authorities) {
    $certificate = New-PublicCertificate -Der ([Convert]::FromBase64String($wanted.Certificate))
    $held = $false
    $taken = $false
    foreach ($authority in Get-SPTrustedRootAuthority) {
        if ($null -ne $authority.Certificate -and $authority.Certificate.Thumbprint -eq $certificate.Thumbprint) { $held = $true }
        if ($authority.Name -eq $wanted.Name) { $taken = $true }
    }
    if ($held) { continue }
    if ($taken) {
        Stop-Script -Id 'NameTaken' -Message "root authority '$($wanted.Name)' already exists with another certificate"
    }
    New-SPTrustedRootAuthority -Name $wanted.Name -Certificate $certificate -Confirm:$false | Out-Null
    $added.Add($wanted.Name)
}

[pscustomobject] @{ changed = $added.Count -gt 0; added = $added }
