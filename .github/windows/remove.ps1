<#
.SYNOPSIS
Removes what the tests imported, and demands that nothing is left of it.
.DESCRIPTION
With the functions of the prelude that ships: the certificates, by the friendly
names that the tests give, from Personal and Trusted Root, and their keys.
Source: none.
#>
[CmdletBinding()]
param()

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$prelude = "$PSScriptRoot\..\..\internal\powershell\scripts\prelude"
foreach ($file in @(Get-ChildItem -Path "$prelude\*.ps1" -Exclude dispatch.ps1) + @(Get-ChildItem -Path "$prelude\windows\*.ps1")) { . $file.FullName }

$removed = 0
foreach ($certificate in @(Get-StoreCertificate -Store My)) {
    if ($certificate.FriendlyName -notlike 'farmtrust *') { continue }
    $location = Get-KeyLocation -Certificate $certificate
    if ($location.File -eq '') { throw "the key of $($certificate.Thumbprint) is in no file" }
    foreach ($store in 'My', 'Root') { Remove-StoreCertificate -Store $store -Thumbprint $certificate.Thumbprint }
    Remove-Key -Certificate $certificate
    if (Test-Path -Path $location.File) { throw "key file $($location.File) is still there" }
    foreach ($store in 'My', 'Root') {
        if (@(Get-StoreCertificate -Store $store | Where-Object { $_.Thumbprint -eq $certificate.Thumbprint }).Count -ne 0) {
            throw "$($certificate.Thumbprint) is still in store $store"
        }
    }
    $removed++
}
if ($removed -eq 0) { throw 'there was nothing to remove' }
Write-Output "removed $removed certificates with their keys"
